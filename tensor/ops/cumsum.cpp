#include "tensor/ops/cumsum.h"

#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {

Tensor cumsum(const Tensor& x, int axis, bool reverse) {
  check_defined("cumsum", "x", x);
  axis = normalize_axis("cumsum", axis, x.shape());
  const Tensor wide = is_floating(x.dtype()) ? x : cast(x, DType::i64);
  Tensor y = empty_like(wide);
  if (x.numel() == 0) return y;
  const Tensor from = transpose(wide, axis, -1), to = transpose(y, axis, -1);
  launch("cumsum", &Kernels::cumsum, wide.dtype(), x.device(),
         CumsumArgs{reverse, operand(from), operand(to)});
  return y;
}

}  // namespace athanor
