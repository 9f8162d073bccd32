#include "autograd/ops/pool2d.h"

#include "autograd/node.h"

namespace athanor {

Variable max_pool2d(const Variable& x, const Pool2dOptions& options) {
  if (!recorded({x})) {
    return record_without_gradient("max_pool2d", max_pool2d(x.tensor(), options), {x});
  }
  MaxPool2dResult result = max_pool2d_with_index(x.tensor(), options);
  return record(
      "max_pool2d", std::move(result.y), {x},
      [index = result.index, shape = x.shape(), options](const Variable& dy, Gradients& d) {
        d.set(0, max_pool2d_backward(dy, index, shape, options));
      });
}

Variable max_pool2d_backward(const Variable& dy, const Tensor& index, const Shape& x_shape,
                             const Pool2dOptions& options) {
  return record("max_pool2d_backward", max_pool2d_backward(dy.tensor(), index, x_shape, options),
                {dy}, [index, options](const Variable& v, Gradients& d) {
                  d.set(0, max_pool2d_gather(v, index, options));
                });
}

Variable max_pool2d_gather(const Variable& x, const Tensor& index, const Pool2dOptions& options) {
  return record("max_pool2d_gather", max_pool2d_gather(x.tensor(), index, options), {x},
                [index, shape = x.shape(), options](const Variable& dy, Gradients& d) {
                  d.set(0, max_pool2d_backward(dy, index, shape, options));
                });
}

Variable avg_pool2d(const Variable& x, const Pool2dOptions& options) {
  return record("avg_pool2d", avg_pool2d(x.tensor(), options), {x},
                [shape = x.shape(), options](const Variable& dy, Gradients& d) {
                  d.set(0, avg_pool2d_backward(dy, shape, options));
                });
}

Variable avg_pool2d_backward(const Variable& dy, const Shape& x_shape,
                             const Pool2dOptions& options) {
  return record("avg_pool2d_backward", avg_pool2d_backward(dy.tensor(), x_shape, options), {dy},
                [options](const Variable& v, Gradients& d) { d.set(0, avg_pool2d(v, options)); });
}

Variable global_avg_pool2d(const Variable& x) {
  Tensor y = global_avg_pool2d(x.tensor());
  const Shape shape = x.shape();
  return record("global_avg_pool2d", std::move(y), {x}, [shape](const Variable& dy, Gradients& d) {
    d.set(0, avg_pool2d_backward(dy, shape, {.kernel = {shape[2], shape[3]}}));
  });
}

}  // namespace athanor
