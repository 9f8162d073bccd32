#include "autograd/ops/conv2d.h"

#include "autograd/autocast.h"
#include "autograd/layout.h"
#include "autograd/node.h"
#include "autograd/ops/copy.h"
#include "autograd/ops/pool2d.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/unary.h"
#include "tensor/base/compute_dtype.h"

namespace athanor {
namespace {

// With nobody asking for a graph, one pass over dy gives both dw and db.
void fused_weight_gradients(const Tensor& dy, const Tensor& x, const Shape& w_shape,
                            const Conv2dOptions& options, bool with_bias, Gradients& d) {
  const Conv2dWeightGradients g = conv2d_backward_weight(dy, x, w_shape, options, with_bias);
  d.set(1, Variable(g.dw));
  if (with_bias) d.set(2, Variable(g.db));
}

}  // namespace

Variable conv2d(const Variable& x, const Variable& w, const Variable& b,
                const Conv2dOptions& options) {
  if (autocasts("conv2d", x, w, b)) {
    return conv2d(autocast("conv2d", x), autocast("conv2d", w), autocast("conv2d", b), options);
  }
  if (options.relu && recorded({x, w, b})) {
    Conv2dOptions plain = options;
    plain.relu = false;
    return relu(conv2d(x, w, b, plain));
  }
  const Variable image = detail::activation_layout(x);
  Tensor y = conv2d(image.tensor(), w.tensor(), b.tensor(), options);
  return record("conv2d", std::move(y), {image, w, b},
                [x = Saved(image), w = Saved(w), options](const Variable& dy, Gradients& d) {
                  const Shape x_shape = x.get(d).shape(), w_shape = w.get(d).shape();
                  if (d.needs(0)) {
                    d.set(0, conv2d_backward_input(dy, w.get(d), x_shape, options));
                  }
                  if (d.needs(1) && !grad_enabled()) {
                    return fused_weight_gradients(dy.tensor(), x.get(d).tensor(), w_shape, options,
                                                  d.needs(2), d);
                  }
                  if (d.needs(1)) d.set(1, conv2d_backward_weight(dy, x.get(d), w_shape, options));
                  if (d.needs(2)) d.set(2, sum(dy, {0, 2, 3}));
                });
}

Variable conv2d_max_pool2d(const Variable& x, const Variable& w, const Variable& b,
                           const Conv2dOptions& options, const Pool2dOptions& pool) {
  constexpr const char* op = "conv2d_max_pool2d";
  if (autocasts("conv2d", x, w, b)) {
    return conv2d_max_pool2d(autocast("conv2d", x), autocast("conv2d", w), autocast("conv2d", b),
                             options, pool);
  }
  if (recorded({x, w, b})) {
    // In 16 bits the largest is chosen before the values are rounded, here too.
    const DType wide = compute_dtype(x.dtype());
    const Variable bias = b.defined() ? cast(b, wide) : b;
    return cast(max_pool2d(conv2d(cast(x, wide), cast(w, wide), bias, options), pool), x.dtype());
  }
  Tensor y = conv2d_max_pool2d(x.tensor(), w.tensor(), b.tensor(), options, pool);
  return record_without_gradient(op, std::move(y), {x, w, b});
}

Variable conv2d_backward_input(const Variable& dy, const Variable& w, const Shape& x_shape,
                               const Conv2dOptions& options) {
  Tensor dx = conv2d_backward_input(dy.tensor(), w.tensor(), x_shape, options);
  return record("conv2d_backward_input", std::move(dx), {dy, w},
                [dy = Saved(dy), w = Saved(w), options](const Variable& v, Gradients& d) {
                  if (d.needs(0)) d.set(0, conv2d(v, w.get(d), {}, options));
                  if (d.needs(1)) {
                    d.set(1, conv2d_backward_weight(dy.get(d), v, w.get(d).shape(), options));
                  }
                });
}

Variable conv2d_backward_weight(const Variable& dy, const Variable& x, const Shape& w_shape,
                                const Conv2dOptions& options) {
  Tensor dw = conv2d_backward_weight(dy.tensor(), x.tensor(), w_shape, options).dw;
  return record("conv2d_backward_weight", std::move(dw), {dy, x},
                [dy = Saved(dy), x = Saved(x), options](const Variable& v, Gradients& d) {
                  if (d.needs(0)) d.set(0, conv2d(x.get(d), v, {}, options));
                  if (d.needs(1)) {
                    d.set(1, conv2d_backward_input(dy.get(d), v, x.get(d).shape(), options));
                  }
                });
}

}  // namespace athanor
