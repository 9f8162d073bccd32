#include "tensor/ops/flip.h"

#include "tensor/ops/copy.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {

Tensor flip(const Tensor& x, const Axes& axes) {
  check_defined("flip", "x", x);
  const unsigned flipped = reduced_axes("flip", x.shape(), axes);
  const Tensor y = empty(x.shape(), x.dtype(), x.device());
  if (x.numel() == 0) return y;
  // The kernel reads from the last element backwards.
  Strides strides = x.strides();
  std::int64_t last = 0;
  for (int i = 0; i < x.rank(); ++i) {
    if (!(flipped >> i & 1u)) continue;
    last += (x.shape()[i] - 1) * strides[i];
    strides[i] = -strides[i];
  }
  Operand from = operand(x);
  from.data = static_cast<char*>(x.raw()) + last * size_of(x.dtype());
  from.strides = strides.begin();
  launch("flip", &Kernels::copy, x.dtype(), x.device(), CopyArgs{from, operand(y)});
  return y;
}

Tensor roll(const Tensor& x, std::int64_t shift, int axis) {
  check_defined("roll", "x", x);
  axis = normalize_axis("roll", axis, x.shape());
  const std::int64_t n = x.shape()[axis];
  const Tensor y = empty(x.shape(), x.dtype(), x.device());
  if (x.numel() == 0) return y;
  const std::int64_t cut = n - ((shift % n) + n) % n;  // the element that comes first
  Tensor front = slice(y, axis, 0, n - cut), back = slice(y, axis, n - cut, n);
  copy_(front, slice(x, axis, cut, n));
  copy_(back, slice(x, axis, 0, cut));
  return y;
}

}  // namespace athanor
