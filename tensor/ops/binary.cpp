#include "tensor/ops/binary.h"

#include <algorithm>

#include "tensor/base/sizes.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

// The result takes the memory order of an input that has its full shape, the first one if both;
// but one without an order of its own (expanded, say) gives way to one that has.
Tensor allocate_result(const Tensor& a, const Tensor& b, const Shape& shape, DType dtype) {
  if (a.shape() == shape && (a.is_dense() || !(b.shape() == shape && b.is_dense()))) {
    return empty_like(a, dtype);
  }
  if (b.shape() == shape) return empty_like(b, dtype);
  return empty(shape, dtype, a.device());
}

Tensor run(const char* name, BinaryOp op, const Tensor& a, const Tensor& b) {
  check_defined(name, "a", a);
  check_defined(name, "b", b);
  check_same_device(name, a, b);
  const DType dtype = promote(a.dtype(), b.dtype());
  if ((op == BinaryOp::div || op == BinaryOp::pow) && !kRealDTypes.contains(dtype)) {
    fail(name, "expected a floating dtype, got ", describe(a), " and ", describe(b));
  }
  if (dtype == DType::boolean && op < BinaryOp::equal) {
    fail(name, "expected a number dtype, got ", describe(a), " and ", describe(b));
  }
  const DType result = op >= BinaryOp::equal ? DType::boolean : dtype;
  const auto into = [&](const Tensor& x, const Tensor& y, Tensor z) {
    if (z.numel() == 0) return z;
    launch(name, &Kernels::binary, dtype, z.device(),
           BinaryArgs{op, operand(x), operand(y), operand(z)});
    return z;
  };
  if (a.shape() == b.shape() && a.dtype() == b.dtype()) {
    return into(a, b, allocate_result(a, b, a.shape(), result));
  }
  const Shape shape = broadcast_shape(name, a.shape(), b.shape());
  return into(expand(cast(a, dtype), shape), expand(cast(b, dtype), shape),
              allocate_result(a, b, shape, result));
}

// The same with the result in a's memory, if a may be overwritten and the result fits.
Tensor run_on_temporary(const char* name, BinaryOp op, Tensor&& a, const Tensor& b) {
  check_defined(name, "a", a);
  check_defined(name, "b", b);
  const bool fits = a.shape() == b.shape() && a.dtype() == b.dtype() && a.device() == b.device() &&
                    a.numel() > 0 && kRealDTypes.contains(a.dtype());
  if (!fits || !reusable(a)) return run(name, op, a, b);
  launch(name, &Kernels::binary, a.dtype(), a.device(),
         BinaryArgs{op, operand(a), operand(b), operand(a)});
  return std::move(a);
}

void check_in_place(const char* name, const Tensor& y, const Tensor& x) {
  check_dtype(name, "y", y, kRealDTypes, "a floating dtype");
  check_defined(name, "x", x);
  check_same_device(name, y, x);
  if (x.dtype() != y.dtype()) {
    fail(name, "expected x of dtype ", y.dtype(), ", got ", describe(x));
  }
  check_broadcasts_to(name, x.shape(), y.shape());
}

void run_in_place(const char* name, BinaryOp op, Tensor& y, const Tensor& x) {
  check_in_place(name, y, x);
  const auto from = [&](const Tensor& wide) {
    if (y.numel() == 0) return;
    launch(name, &Kernels::binary, y.dtype(), y.device(),
           BinaryArgs{op, operand(y), operand(wide), operand(y)});
  };
  x.shape() == y.shape() ? from(x) : from(expand(x, y.shape()));
  y.bump_version(name);
}

}  // namespace

DType promote(DType a, DType b) {
  if (a == b) return a;
  const auto level = [](DType t) {
    switch (t) {
      case DType::boolean:
        return 0;
      case DType::u8:
      case DType::i8:
        return 1;
      case DType::i32:
        return 2;
      case DType::i64:
        return 3;
      case DType::f16:
      case DType::bf16:
        return 4;
      case DType::f32:
        return 5;
      default:
        return 6;
    }
  };
  const int la = level(a), lb = level(b);
  if (la == lb) return la == 1 ? DType::i32 : DType::f32;  // u8 with i8; f16 with bf16
  return la > lb ? a : b;
}

Tensor add(const Tensor& a, const Tensor& b) { return run("add", BinaryOp::add, a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return run("sub", BinaryOp::sub, a, b); }
Tensor mul(const Tensor& a, const Tensor& b) { return run("mul", BinaryOp::mul, a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return run("div", BinaryOp::div, a, b); }
Tensor add(Tensor&& a, const Tensor& b) {
  return run_on_temporary("add", BinaryOp::add, std::move(a), b);
}
Tensor sub(Tensor&& a, const Tensor& b) {
  return run_on_temporary("sub", BinaryOp::sub, std::move(a), b);
}
Tensor mul(Tensor&& a, const Tensor& b) {
  return run_on_temporary("mul", BinaryOp::mul, std::move(a), b);
}
Tensor div(Tensor&& a, const Tensor& b) {
  return run_on_temporary("div", BinaryOp::div, std::move(a), b);
}
Tensor pow(const Tensor& a, const Tensor& b) { return run("pow", BinaryOp::pow, a, b); }
Tensor maximum(const Tensor& a, const Tensor& b) { return run("maximum", BinaryOp::maximum, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return run("minimum", BinaryOp::minimum, a, b); }
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight) {
  check_dtype("lerp", "a", a, kRealDTypes, "a floating dtype");
  check_dtype("lerp", "b", b, kRealDTypes, "a floating dtype");
  check_dtype("lerp", "weight", weight, kRealDTypes, "a floating dtype");
  check_same_device("lerp", a, b);
  check_same_device("lerp", a, weight);
  broadcast_shape("lerp", weight.shape(), broadcast_shape("lerp", a.shape(), b.shape()));
  return add(a, mul(weight, sub(b, a)));
}
Tensor equal(const Tensor& a, const Tensor& b) { return run("equal", BinaryOp::equal, a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) {
  return run("not_equal", BinaryOp::not_equal, a, b);
}
Tensor less(const Tensor& a, const Tensor& b) { return run("less", BinaryOp::less, a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return run("less_equal", BinaryOp::less_equal, a, b);
}
Tensor greater(const Tensor& a, const Tensor& b) { return run("greater", BinaryOp::greater, a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return run("greater_equal", BinaryOp::greater_equal, a, b);
}
Tensor logical_and(const Tensor& a, const Tensor& b) {
  return run("logical_and", BinaryOp::logical_and, a, b);
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return run("logical_or", BinaryOp::logical_or, a, b);
}
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return run("logical_xor", BinaryOp::logical_xor, a, b);
}

void add_(Tensor& y, const Tensor& x) { run_in_place("add_", BinaryOp::add, y, x); }
void mul_(Tensor& y, const Tensor& x) { run_in_place("mul_", BinaryOp::mul, y, x); }

void mul_(Tensor& y, double value) {
  check_dtype("mul_", "y", y, kRealDTypes, "a floating dtype");
  if (y.numel() > 0) {
    launch("mul_", &Kernels::unary, y.dtype(), y.device(),
           UnaryArgs{UnaryOp::mul_scalar, value, 0, operand(y), operand(y)});
  }
  y.bump_version("mul_");
}

}  // namespace athanor
