#include "tensor/ops/reduce.h"

#include "tensor/ops/copy.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace athanor {
namespace {

Tensor run(const char* name, ReduceOp op, const Tensor& x, unsigned mask, bool keepdim) {
  Shape kept = x.shape(), dropped;
  for (int i = 0; i < x.rank(); ++i) {
    if (mask >> i & 1u) {
      kept[i] = 1;
    } else {
      dropped.push_back(x.shape()[i]);
    }
  }
  const bool to_bool = op == ReduceOp::any || op == ReduceOp::all;
  const Tensor y = empty(kept, to_bool ? DType::boolean : x.dtype(), x.device());
  const bool extreme = op == ReduceOp::max || op == ReduceOp::min;
  if (x.numel() == 0 && y.numel() > 0 && extreme) {
    fail(name, "expected at least one element to reduce, got ", describe(x));
  }
  if (y.numel() > 0) {
    if (x.numel() == 0) {
      Tensor writable = y;
      fill_(writable, op == ReduceOp::all ? 1 : 0);
    } else {
      const Tensor wide = expand(y, x.shape());
      launch(name, &Kernels::reduce, x.dtype(), x.device(),
             ReduceArgs{op, operand(x), operand(wide)});
    }
  }
  return keepdim ? y : reshape(y, dropped);
}

}  // namespace

unsigned reduced_axes(const char* op, const Shape& shape, const Axes& axes) {
  if (axes.empty()) return (1u << shape.size()) - 1u;
  unsigned mask = 0;
  for (int axis : axes) {
    const unsigned bit = 1u << normalize_axis(op, axis, shape);
    if (mask & bit) fail(op, "expected each axis once, got axis ", axis, " twice");
    mask |= bit;
  }
  return mask;
}

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim) {
  check_defined("sum", "x", x);
  const Tensor wide = is_floating(x.dtype()) ? x : cast(x, DType::i64);
  return run("sum", ReduceOp::sum, wide, reduced_axes("sum", x.shape(), axes), keepdim);
}

Tensor mean(const Tensor& x, const Axes& axes, bool keepdim) {
  check_dtype("mean", "x", x, kRealDTypes, "a floating dtype");
  const Tensor total =
      run("mean", ReduceOp::sum, x, reduced_axes("mean", x.shape(), axes), keepdim);
  if (x.numel() == 0 && total.numel() > 0) {
    fail("mean", "expected at least one element to reduce, got ", describe(x));
  }
  if (total.numel() == 0) return total;
  const double count = static_cast<double>(x.numel() / total.numel());
  return mul(total, 1.0 / count);
}

Tensor amax(const Tensor& x, const Axes& axes, bool keepdim) {
  check_dtype("amax", "x", x, kNumberDTypes, "a number dtype");
  return run("amax", ReduceOp::max, x, reduced_axes("amax", x.shape(), axes), keepdim);
}

Tensor amin(const Tensor& x, const Axes& axes, bool keepdim) {
  check_dtype("amin", "x", x, kNumberDTypes, "a number dtype");
  return run("amin", ReduceOp::min, x, reduced_axes("amin", x.shape(), axes), keepdim);
}

Tensor any(const Tensor& x, const Axes& axes, bool keepdim) {
  check_defined("any", "x", x);
  return run("any", ReduceOp::any, x, reduced_axes("any", x.shape(), axes), keepdim);
}

Tensor all(const Tensor& x, const Axes& axes, bool keepdim) {
  check_defined("all", "x", x);
  return run("all", ReduceOp::all, x, reduced_axes("all", x.shape(), axes), keepdim);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  check_dtype("sum_to", "x", x, kNumberDTypes, "a number dtype");
  if (x.shape() == shape) return x;
  const int added = x.rank() - shape.size();
  unsigned mask = 0;
  bool fits = added >= 0;
  for (int i = 0; fits && i < x.rank(); ++i) {
    if (i < added) {
      mask |= 1u << i;
    } else if (shape[i - added] != x.shape()[i]) {
      fits = shape[i - added] == 1;
      mask |= 1u << i;
    }
  }
  if (!fits) {
    fail("sum_to", "expected a shape that broadcasts to ", x.shape(), ", got ", shape);
  }
  return reshape(run("sum_to", ReduceOp::sum, x, mask, true), shape);
}

}  // namespace athanor
