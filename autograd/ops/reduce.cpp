#include "autograd/ops/reduce.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/unary.h"
#include "tensor/ops/binary.h"
#include "tensor/ops/copy.h"

namespace athanor {
namespace {

// Shape of the result with the reduced axes kept as size 1.
Shape keepdim_shape(const char* op, const Shape& shape, const Axes& axes) {
  Shape kept = shape;
  if (axes.empty()) return Dims::filled(shape.size(), 1);
  for (int axis : axes) kept[normalize_axis(op, axis, shape)] = 1;
  return kept;
}

// dx = dy at the elements equal to the extreme, divided by their number.
Variable extreme(const char* op, const Variable& x, Tensor y, const Axes& axes) {
  const Shape kept = keepdim_shape(op, x.shape(), axes);
  return record(op, y, {x}, [x = Saved(x), y, kept, axes](const Variable& dy, Gradients& d) {
    const Tensor& value = x.get(d).tensor();
    const Tensor mask = cast(equal(value, reshape(y, kept)), value.dtype());
    const Tensor share = div(mask, sum(mask, axes, true));
    d.set(0, mul(reshape(dy, kept), Variable(share)));
  });
}

}  // namespace

Variable sum(const Variable& x, const Axes& axes, bool keepdim) {
  if (autocasts("sum", x)) return sum(autocast("sum", x), axes, keepdim);
  const Shape shape = x.shape(), kept = keepdim_shape("sum", x.shape(), axes);
  return record("sum", sum(x.tensor(), axes, keepdim), {x},
                [shape, kept](const Variable& dy, Gradients& d) {
                  d.set(0, expand(reshape(dy, kept), shape));
                });
}

Variable mean(const Variable& x, const Axes& axes, bool keepdim) {
  if (autocasts("sum", x)) return mean(autocast("sum", x), axes, keepdim);
  const Shape shape = x.shape(), kept = keepdim_shape("mean", x.shape(), axes);
  const Tensor y = mean(x.tensor(), axes, keepdim);
  const double share =
      y.numel() ? static_cast<double>(y.numel()) / static_cast<double>(x.numel()) : 0;
  return record("mean", y, {x}, [shape, kept, share](const Variable& dy, Gradients& d) {
    d.set(0, expand(reshape(mul(dy, share), kept), shape));
  });
}

Variable amax(const Variable& x, const Axes& axes, bool keepdim) {
  return extreme("amax", x, amax(x.tensor(), axes, keepdim), axes);
}

Variable amin(const Variable& x, const Axes& axes, bool keepdim) {
  return extreme("amin", x, amin(x.tensor(), axes, keepdim), axes);
}

Variable sum_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const Shape wide = x.shape();
  return record("sum_to", sum_to(x.tensor(), shape), {x},
                [wide](const Variable& dy, Gradients& d) { d.set(0, expand(dy, wide)); });
}

}  // namespace athanor
