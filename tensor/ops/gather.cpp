#include "tensor/ops/gather.h"

#include "tensor/base/sizes.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

std::int64_t product(const Shape& shape, int first, int last) {
  std::int64_t n = 1;
  for (int i = first; i < last; ++i) n *= shape[i];
  return n;
}

// Runs `entry` on contiguous operands; `wide` is the shape along whose axis the index points.
template <class Args>
void run(const char* op, Kernel<Args> Kernels::*entry, const Tensor& x, const Tensor& index,
         const Tensor& y, const Shape& wide, int axis, std::int64_t m) {
  if (x.numel() == 0 || y.numel() == 0) return;
  launch(op, entry, x.dtype(), x.device(),
         Args{operand(x), operand(index), operand(y), product(wide, 0, axis), wide[axis], m,
              product(wide, axis + 1, wide.size())});
}

// Throws unless the index has `shape` but for `axis`.
void check_along(const char* op, const Shape& shape, const Tensor& index, int axis) {
  Shape expected = shape;
  if (index.rank() == shape.size()) expected[axis] = index.shape()[axis];
  if (!(index.shape() == expected)) {
    fail(op, "expected an index of shape ", shape, " but for axis ", axis, ", got ",
         describe(index));
  }
}

}  // namespace

Tensor index_select(const Tensor& x, int axis, const Tensor& index) {
  check_defined("index_select", "x", x);
  axis = normalize_axis("index_select", axis, x.shape());
  const Tensor at = checked_index("index_select", x, index, x.shape()[axis]);
  if (at.rank() != 1) fail("index_select", "expected an index [m], got ", describe(index));
  Shape shape = x.shape();
  shape[axis] = at.numel();
  const Tensor from = contiguous(x), y = empty(shape, x.dtype(), x.device());
  run("index_select", &Kernels::index_select, from, at, y, x.shape(), axis, at.numel());
  return y;
}

Tensor index_add(const Tensor& x, int axis, const Tensor& index, std::int64_t n) {
  check_dtype("index_add", "x", x, kNumberDTypes, "a number dtype");
  axis = normalize_axis("index_add", axis, x.shape());
  if (n < 0) fail("index_add", "expected n >= 0, got ", n);
  const Tensor at = checked_index("index_add", x, index, n);
  if (!(at.shape() == Shape{x.shape()[axis]})) {
    fail("index_add", "expected an index [", x.shape()[axis], "], got ", describe(index));
  }
  Shape shape = x.shape();
  shape[axis] = n;
  const Tensor from = contiguous(x), y = zeros(shape, x.dtype(), x.device());
  run("index_add", &Kernels::index_add, from, at, y, shape, axis, at.numel());
  return y;
}

Tensor take_along_axis(const Tensor& x, const Tensor& index, int axis) {
  check_defined("take_along_axis", "x", x);
  axis = normalize_axis("take_along_axis", axis, x.shape());
  const Tensor at = checked_index("take_along_axis", x, index, x.shape()[axis]);
  check_along("take_along_axis", x.shape(), at, axis);
  const Tensor from = contiguous(x), y = empty(at.shape(), x.dtype(), x.device());
  run("take_along_axis", &Kernels::gather, from, at, y, x.shape(), axis, at.shape()[axis]);
  return y;
}

Tensor scatter_add(const Tensor& x, const Tensor& index, int axis, std::int64_t n) {
  check_dtype("scatter_add", "x", x, kNumberDTypes, "a number dtype");
  axis = normalize_axis("scatter_add", axis, x.shape());
  if (n < 0) fail("scatter_add", "expected n >= 0, got ", n);
  const Tensor at = checked_index("scatter_add", x, index, n);
  if (!(at.shape() == x.shape())) {
    fail("scatter_add", "expected an index ", x.shape(), ", got ", describe(index));
  }
  Shape shape = x.shape();
  shape[axis] = n;
  const Tensor from = contiguous(x), y = zeros(shape, x.dtype(), x.device());
  run("scatter_add", &Kernels::scatter_add, from, at, y, shape, axis, at.shape()[axis]);
  return y;
}

Tensor one_hot(const Tensor& index, std::int64_t classes, DType dtype) {
  check_dtype("one_hot", "index", index, {DType::i64}, "dtype i64");
  check_room("one_hot", index.shape());
  if (classes < 1) fail("one_hot", "expected classes >= 1, got ", classes);
  if (!kNumberDTypes.contains(dtype)) fail("one_hot", "expected a number dtype, got ", dtype);
  const Tensor at = checked_index("one_hot", {}, unsqueeze(index, -1), classes);
  return scatter_add(ones(at.shape(), dtype, at.device()), at, -1, classes);
}

}  // namespace athanor
