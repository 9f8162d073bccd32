#include "tensor/ops/cumsum.h"

#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {

Tensor cumsum(const Tensor& x, int axis, bool reverse) {
  constexpr DTypeSet kNumbers{DType::f32, DType::f64, DType::f16, DType::bf16,
                              DType::i8,  DType::u8,  DType::i32, DType::i64};
  check_dtype("cumsum", "x", x, kNumbers, "a number dtype");
  axis = normalize_axis("cumsum", axis, x.shape());
  Tensor y = empty_like(x);
  if (x.numel() == 0) return y;
  const Tensor from = transpose(x, axis, -1), to = transpose(y, axis, -1);
  launch("cumsum", &Kernels::cumsum, x.dtype(), x.device(),
         CumsumArgs{reverse, operand(from), operand(to)});
  return y;
}

}  // namespace athanor
