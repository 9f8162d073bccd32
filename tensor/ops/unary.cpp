#include "tensor/ops/unary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/ops/operand.h"

namespace athanor {
namespace {

constexpr DTypeSet kSigned{DType::f32, DType::f64, DType::f16, DType::bf16,
                           DType::i8,  DType::i32, DType::i64};

Tensor run(const char* name, UnaryOp op, const Tensor& x, DType result, double a, double b) {
  Tensor y = empty_like(x, result);
  if (x.numel() == 0) return y;
  const UnaryArgs args{op, a, b, operand(x), operand(y)};
  launch(name, &Kernels::unary, x.dtype(), x.device(), args);
  return y;
}

// The same with the result in x's memory, if x may be overwritten.
Tensor run_on_temporary(const char* name, UnaryOp op, Tensor&& x, double a, double b) {
  if (!reusable(x) || x.numel() == 0) return run(name, op, x, x.dtype(), a, b);
  launch(name, &Kernels::unary, x.dtype(), x.device(), UnaryArgs{op, a, b, operand(x), operand(x)});
  return std::move(x);
}

Tensor on_floats(const char* name, UnaryOp op, const Tensor& x, double a = 0, double b = 0) {
  check_dtype(name, "x", x, kRealDTypes, "a floating dtype");
  return run(name, op, x, x.dtype(), a, b);
}

Tensor on_numbers(const char* name, UnaryOp op, const Tensor& x, double a = 0, double b = 0) {
  check_dtype(name, "x", x, kNumberDTypes, "a number dtype");
  return run(name, op, x, x.dtype(), a, b);
}

Tensor to_bool(const char* name, UnaryOp op, const Tensor& x) {
  check_defined(name, "x", x);
  return run(name, op, x, DType::boolean, 0, 0);
}

}  // namespace

Tensor neg(const Tensor& x) {
  check_dtype("neg", "x", x, kSigned, "a signed dtype");
  return run("neg", UnaryOp::neg, x, x.dtype(), 0, 0);
}
Tensor abs(const Tensor& x) { return on_numbers("abs", UnaryOp::abs, x); }
Tensor exp(const Tensor& x) { return on_floats("exp", UnaryOp::exp, x); }
Tensor log(const Tensor& x) { return on_floats("log", UnaryOp::log, x); }
Tensor log1p(const Tensor& x) { return on_floats("log1p", UnaryOp::log1p, x); }
Tensor expm1(const Tensor& x) { return on_floats("expm1", UnaryOp::expm1, x); }
Tensor sqrt(const Tensor& x) { return on_floats("sqrt", UnaryOp::sqrt, x); }
Tensor rsqrt(const Tensor& x) { return on_floats("rsqrt", UnaryOp::rsqrt, x); }
Tensor reciprocal(const Tensor& x) { return on_floats("reciprocal", UnaryOp::reciprocal, x); }
Tensor sin(const Tensor& x) { return on_floats("sin", UnaryOp::sin, x); }
Tensor cos(const Tensor& x) { return on_floats("cos", UnaryOp::cos, x); }
Tensor tanh(const Tensor& x) { return on_floats("tanh", UnaryOp::tanh, x); }
Tensor sigmoid(const Tensor& x) { return on_floats("sigmoid", UnaryOp::sigmoid, x); }
Tensor erf(const Tensor& x) { return on_floats("erf", UnaryOp::erf, x); }
Tensor relu(const Tensor& x) { return on_numbers("relu", UnaryOp::relu, x); }
Tensor gelu(const Tensor& x) { return on_floats("gelu", UnaryOp::gelu, x); }
Tensor gelu_tanh(const Tensor& x) { return on_floats("gelu_tanh", UnaryOp::gelu_tanh, x); }
Tensor silu(const Tensor& x) { return on_floats("silu", UnaryOp::silu, x); }
Tensor softplus(const Tensor& x) { return on_floats("softplus", UnaryOp::softplus, x); }
Tensor leaky_relu(const Tensor& x, double slope) {
  return on_floats("leaky_relu", UnaryOp::leaky_relu, x, slope);
}
Tensor elu(const Tensor& x, double alpha) { return on_floats("elu", UnaryOp::elu, x, alpha); }
Tensor floor(const Tensor& x) { return on_floats("floor", UnaryOp::floor, x); }
Tensor round(const Tensor& x) { return on_floats("round", UnaryOp::round, x); }
Tensor sign(const Tensor& x) { return on_numbers("sign", UnaryOp::sign, x); }
Tensor square(const Tensor& x) { return on_numbers("square", UnaryOp::square, x); }

Tensor clamp(const Tensor& x, double lowest, double highest) {
  if (!(lowest <= highest)) {
    fail("clamp", "expected lowest <= highest, got ", lowest, " and ", highest);
  }
  check_dtype("clamp", "x", x, kNumberDTypes, "a number dtype");
  if (!is_floating(x.dtype())) {
    // The whole numbers of the dtype within the bounds.
    visit(x.dtype(), [&]<class T>(Tag<T>) {
      if constexpr (std::is_integral_v<T>) {
        lowest = std::max(std::ceil(lowest), static_cast<double>(std::numeric_limits<T>::min()));
        highest = std::min(std::floor(highest), static_cast<double>(std::numeric_limits<T>::max()));
      }
    });
    if (!(lowest <= highest)) {
      fail("clamp", "expected bounds with a number of ", x.dtype(), " between them, got none");
    }
  }
  return on_numbers("clamp", UnaryOp::clamp, x, lowest, highest);
}

Tensor add(const Tensor& x, double value) {
  check_dtype("add", "x", x, kNumberDTypes, "a number dtype");
  check_scalar("add", value, x.dtype());
  return on_numbers("add", UnaryOp::add_scalar, x, value);
}
Tensor mul(const Tensor& x, double value) {
  check_dtype("mul", "x", x, kNumberDTypes, "a number dtype");
  check_scalar("mul", value, x.dtype());
  return on_numbers("mul", UnaryOp::mul_scalar, x, value);
}
Tensor pow(const Tensor& x, double exponent) {
  return on_floats("pow", UnaryOp::pow_scalar, x, exponent);
}

Tensor neg(Tensor&& x) {
  check_dtype("neg", "x", x, kSigned, "a signed dtype");
  return run_on_temporary("neg", UnaryOp::neg, std::move(x), 0, 0);
}
Tensor exp(Tensor&& x) {
  check_dtype("exp", "x", x, kRealDTypes, "a floating dtype");
  return run_on_temporary("exp", UnaryOp::exp, std::move(x), 0, 0);
}
Tensor relu(Tensor&& x) {
  check_dtype("relu", "x", x, kNumberDTypes, "a number dtype");
  return run_on_temporary("relu", UnaryOp::relu, std::move(x), 0, 0);
}
Tensor add(Tensor&& x, double value) {
  check_dtype("add", "x", x, kNumberDTypes, "a number dtype");
  check_scalar("add", value, x.dtype());
  return run_on_temporary("add", UnaryOp::add_scalar, std::move(x), value, 0);
}
Tensor mul(Tensor&& x, double value) {
  check_dtype("mul", "x", x, kNumberDTypes, "a number dtype");
  check_scalar("mul", value, x.dtype());
  return run_on_temporary("mul", UnaryOp::mul_scalar, std::move(x), value, 0);
}

Tensor isfinite(const Tensor& x) { return to_bool("isfinite", UnaryOp::is_finite, x); }
Tensor isnan(const Tensor& x) { return to_bool("isnan", UnaryOp::is_nan, x); }
Tensor logical_not(const Tensor& x) { return to_bool("logical_not", UnaryOp::logical_not, x); }

namespace {

Tensor activation_grad(const char* op, UnaryOp kind, const Tensor& saved, Tensor&& dy) {
  check_dtype(op, "its value", saved, kRealDTypes, "a floating dtype");
  check_defined(op, "dy", dy);
  check_same_device(op, saved, dy);
  if (!(saved.shape() == dy.shape()) || saved.dtype() != dy.dtype()) {
    fail(op, "expected dy like ", describe(saved), ", got ", describe(dy));
  }
  if (saved.numel() == 0) return empty_like(saved);
  Tensor dx = reusable(dy) ? dy : empty_like(saved);
  launch(op, &Kernels::unary_grad, saved.dtype(), saved.device(),
         UnaryGradArgs{kind, operand(saved), operand(dy), operand(dx)});
  return dx;
}

}  // namespace

Tensor relu_grad(const Tensor& y, Tensor dy) {
  return activation_grad("relu_grad", UnaryOp::relu, y, std::move(dy));
}
Tensor tanh_grad(const Tensor& y, Tensor dy) {
  return activation_grad("tanh_grad", UnaryOp::tanh, y, std::move(dy));
}
Tensor sigmoid_grad(const Tensor& y, Tensor dy) {
  return activation_grad("sigmoid_grad", UnaryOp::sigmoid, y, std::move(dy));
}
Tensor gelu_grad(const Tensor& x, Tensor dy) {
  return activation_grad("gelu_grad", UnaryOp::gelu, x, std::move(dy));
}
Tensor gelu_tanh_grad(const Tensor& x, Tensor dy) {
  return activation_grad("gelu_tanh_grad", UnaryOp::gelu_tanh, x, std::move(dy));
}
Tensor silu_grad(const Tensor& x, Tensor dy) {
  return activation_grad("silu_grad", UnaryOp::silu, x, std::move(dy));
}

}  // namespace athanor
