#include "autograd/ops/conv2d_batch_norm.h"

#include "autograd/autocast.h"
#include "autograd/layout.h"
#include "autograd/node.h"
#include "autograd/ops/batch_norm.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/pool2d.h"
#include "tensor/ops/copy.h"

namespace athanor {
namespace {

Variable apart(const Variable& x, const Variable& w, const Variable& b, const Variable& gamma,
               const Variable& beta, Tensor& running_mean, Tensor& running_var,
               const Conv2dBatchNormOptions& o) {
  const Variable z = conv2d(x, w, b, o.conv);
  if (!o.pool) return batch_norm(z, gamma, beta, running_mean, running_var, o.norm);
  return batch_norm_max_pool2d(z, gamma, beta, running_mean, running_var, o.norm, *o.pool);
}

// Whether the gradients can be computed together, and anybody asks for them.
bool together(const Variable& x, const Variable& w, const Variable& b, const Variable& gamma,
              const Variable& beta, const Conv2dBatchNormOptions& o) {
  if (!recorded({x, w, b, gamma, beta}) || !o.norm.training || o.conv.relu) return false;
  if (autocasts("conv2d", x, w, b) || autocasts("batch_norm", x)) return false;
  for (const Variable* v : {&x, &w, &gamma, &beta}) {
    if (!v->defined() || v->dtype() != x.dtype()) return false;
  }
  return x.tensor().device().type == DeviceType::cpu && x.rank() == 4 &&
         (x.dtype() == DType::f32 || x.dtype() == DType::f64);
}

// The rule where somebody wants gradients of gradients: that of the two operations, done anew.
void composed_gradients(const Variable& dy, const std::vector<Variable>& inputs,
                        const Conv2dBatchNormOptions& options, Gradients& d) {
  Tensor mean = zeros(inputs[3].shape(), inputs[0].dtype()), var = ones_like(mean);
  const Variable y =
      apart(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], mean, var, options);
  std::vector<Variable> asked;
  for (int i = 0; i < 5; ++i) {
    if (d.needs(i)) asked.push_back(inputs[static_cast<std::size_t>(i)]);
  }
  const std::vector<Variable> got = grad({y}, asked, true, false, false, {dy});
  std::size_t next = 0;
  for (int i = 0; i < 5; ++i) {
    if (d.needs(i)) d.set(i, got[next++]);
  }
}

}  // namespace

Variable conv2d_batch_norm(const Variable& x, const Variable& w, const Variable& b,
                           const Variable& gamma, const Variable& beta, Tensor& running_mean,
                           Tensor& running_var, const Conv2dBatchNormOptions& options) {
  if (!together(x, w, b, gamma, beta, options)) {
    return apart(x, w, b, gamma, beta, running_mean, running_var, options);
  }
  const Variable image = detail::activation_layout(x);
  const Tensor z = conv2d(image.tensor(), w.tensor(), b.tensor(), options.conv);
  const bool pooled = options.pool && batch_norm_pools(z, *options.pool);
  Conv2dBatchNormOptions one = options;
  if (!pooled) one.pool.reset();
  BatchNormResult result = batch_norm_with_statistics(z, gamma.tensor(), beta.tensor(),
                                                      running_mean, running_var, one.norm, pooled);
  Tensor y = std::move(result.y);
  const Variable normalised = record(
      "conv2d_batch_norm", std::move(y), {image, w, b, gamma, beta},
      [x = Saved(image), w = Saved(w), b = Saved(b), gamma = Saved(gamma), beta = Saved(beta), z,
       saved = std::move(result), one](const Variable& dy, Gradients& d) {
        if (grad_enabled()) {
          return composed_gradients(dy, {x.get(d), w.get(d), b.get(d), gamma.get(d), beta.get(d)},
                                    one, d);
        }
        const Conv2dBatchNormGradients g = conv2d_batch_norm_backward(
            dy.tensor(), x.get(d).tensor(), w.get(d).tensor(), z, gamma.get(d).tensor(),
            beta.get(d).tensor(), saved, one.conv, one.norm.relu, d.needs(0), d.needs(2));
        if (d.needs(0)) d.set(0, Variable(g.dx));
        d.set(1, Variable(g.dw));
        if (d.needs(2)) d.set(2, Variable(g.db));
        d.set(3, Variable(g.dgamma));
        d.set(4, Variable(g.dbeta));
      });
  return options.pool && !pooled ? max_pool2d(normalised, *options.pool) : normalised;
}

}  // namespace athanor
