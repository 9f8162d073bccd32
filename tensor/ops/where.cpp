#include "tensor/ops/where.h"

#include "tensor/base/sizes.h"
#include "tensor/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_dtype("where", "condition", condition, {DType::boolean}, "dtype bool");
  check_defined("where", "a", a);
  check_defined("where", "b", b);
  check_same_device("where", a, b);
  check_same_device("where", condition, a);
  const DType dtype = promote(a.dtype(), b.dtype());
  const Shape shape =
      broadcast_shape("where", condition.shape(), broadcast_shape("where", a.shape(), b.shape()));
  const Tensor c = expand(condition, shape);
  const Tensor x = expand(cast(a, dtype), shape), y = expand(cast(b, dtype), shape);
  const Tensor& like = a.shape() == shape ? a : b;
  Tensor z = like.shape() == shape ? empty_like(like, dtype) : empty(shape, dtype, a.device());
  if (z.numel() > 0) {
    launch("where", &Kernels::where, dtype, z.device(),
           WhereArgs{operand(c), operand(x), operand(y), operand(z)});
  }
  return z;
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  check_defined("masked_fill", "x", x);
  check_dtype("masked_fill", "mask", mask, {DType::boolean}, "dtype bool");
  check_same_device("masked_fill", x, mask);
  check_broadcasts_to("masked_fill", mask.shape(), x.shape());
  check_scalar("masked_fill", value, x.dtype());
  return where(expand(mask, x.shape()), scalar(value, x.dtype(), x.device()), x);
}

}  // namespace athanor
