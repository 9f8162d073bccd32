#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/backend/convert.h"
#include "tensor/backend/reference/reference.h"

namespace athanor::reference {
namespace {

// The value of op(x) in the compute type C (float, double or an integer type).
template <class C>
C value_of(UnaryOp op, C x, double a, double b) {
  using A = arithmetic_t<C>;
  const double d = static_cast<double>(x);
  switch (op) {
    case UnaryOp::neg:
      return static_cast<C>(A(0) - static_cast<A>(x));
    case UnaryOp::abs:
      return x < C(0) ? static_cast<C>(A(0) - static_cast<A>(x)) : x;
    case UnaryOp::relu:
      return x > C(0) ? x : (x == x ? C(0) : x);
    case UnaryOp::square:
      return static_cast<C>(static_cast<A>(x) * static_cast<A>(x));
    case UnaryOp::sign:
      return static_cast<C>((x > C(0)) - (x < C(0)));
    case UnaryOp::clamp:
      return x != x ? x
                    : static_cast<C>(std::min<C>(std::max<C>(x, converted<C>(a)), converted<C>(b)));
    case UnaryOp::add_scalar:
      return static_cast<C>(static_cast<A>(x) + static_cast<A>(static_cast<C>(a)));
    case UnaryOp::mul_scalar:
      return static_cast<C>(static_cast<A>(x) * static_cast<A>(static_cast<C>(a)));
    case UnaryOp::is_finite:
      return static_cast<C>(std::isfinite(d));
    case UnaryOp::is_nan:
      return static_cast<C>(std::isnan(d));
    case UnaryOp::logical_not:
      return static_cast<C>(x == C(0));
    default:
      break;
  }
  double y = 0;
  switch (op) {
    case UnaryOp::exp:
      y = std::exp(d);
      break;
    case UnaryOp::log:
      y = std::log(d);
      break;
    case UnaryOp::log1p:
      y = std::log1p(d);
      break;
    case UnaryOp::expm1:
      y = std::expm1(d);
      break;
    case UnaryOp::sqrt:
      y = std::sqrt(d);
      break;
    case UnaryOp::rsqrt:
      y = 1 / std::sqrt(d);
      break;
    case UnaryOp::reciprocal:
      y = 1 / d;
      break;
    case UnaryOp::sin:
      y = std::sin(d);
      break;
    case UnaryOp::cos:
      y = std::cos(d);
      break;
    case UnaryOp::tanh:
      y = std::tanh(d);
      break;
    case UnaryOp::sigmoid:
      y = d >= 0 ? 1 / (1 + std::exp(-d)) : std::exp(d) / (1 + std::exp(d));
      break;
    case UnaryOp::erf:
      y = std::erf(d);
      break;
    case UnaryOp::gelu:
      y = 0.5 * d * (1 + std::erf(d / std::numbers::sqrt2));
      break;
    case UnaryOp::gelu_tanh:
      y = 0.5 * d * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (d + 0.044715 * d * d * d)));
      break;
    case UnaryOp::silu:
      y = d >= 0 ? d / (1 + std::exp(-d)) : d * std::exp(d) / (1 + std::exp(d));
      break;
    case UnaryOp::softplus:
      y = std::max(d, 0.0) + std::log1p(std::exp(-std::abs(d)));
      break;
    case UnaryOp::leaky_relu:
      y = d > 0 ? d : a * d;
      break;
    case UnaryOp::elu:
      y = d > 0 ? d : a * std::expm1(d);
      break;
    case UnaryOp::floor:
      y = std::floor(d);
      break;
    case UnaryOp::round:
      y = std::nearbyint(d);
      break;
    case UnaryOp::pow_scalar:
      y = std::pow(d, a);
      break;
    default:
      break;
  }
  return static_cast<C>(y);
}

// f'(x) of the operation, from what UnaryGradArgs calls `saved`.
double activation_slope(UnaryOp op, double v) {
  const double c = std::sqrt(2 / std::numbers::pi);
  switch (op) {
    case UnaryOp::relu:
      return v > 0 ? 1 : 0;
    case UnaryOp::tanh:
      return 1 - v * v;
    case UnaryOp::sigmoid:
      return v * (1 - v);
    case UnaryOp::silu: {
      const double s = 1 / (1 + std::exp(-v));
      return s * (1 + v * (1 - s));
    }
    case UnaryOp::gelu:
      return 0.5 * (1 + std::erf(v / std::numbers::sqrt2)) +
             v * std::exp(-0.5 * v * v) / std::sqrt(2 * std::numbers::pi);
    case UnaryOp::gelu_tanh: {
      const double t = std::tanh(c * (v + 0.044715 * v * v * v));
      return 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * c * (1 + 3 * 0.044715 * v * v);
    }
    default:
      throw Error("[unary_grad] unknown operation");
  }
}

}  // namespace

void unary_grad(const UnaryGradArgs& args) {
  visit(args.saved.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    Index index(args.saved.sizes, args.saved.rank);
    for (std::int64_t i = args.saved.numel(); i > 0; --i, index.next()) {
      const C saved = static_cast<C>(args.saved.as<T>()[index.offset(args.saved.strides)]);
      const C dy = static_cast<C>(args.dy.as<T>()[index.offset(args.dy.strides)]);
      const double slope = activation_slope(args.op, static_cast<double>(saved));
      // A slope of 0 hides whatever dy is.
      const double dx =
          args.op == UnaryOp::relu && slope == 0 ? 0 : static_cast<double>(dy) * slope;
      args.dx.as<T>()[index.offset(args.dx.strides)] = static_cast<T>(static_cast<C>(dx));
    }
  });
}

void unary(const UnaryArgs& args) {
  visit(args.x.dtype, [&]<class X>(Tag<X>) {
    visit(args.y.dtype, [&]<class Y>(Tag<Y>) {
      if constexpr (std::is_same_v<X, Y> || std::is_same_v<Y, bool>) {
        const X* x = args.x.as<X>();
        Y* y = args.y.as<Y>();
        Index index(args.x.sizes, args.x.rank);
        const std::int64_t n = args.x.numel();
        for (std::int64_t i = 0; i < n; ++i, index.next()) {
          using C = compute_t<X>;
          const C value = value_of<C>(args.op, x[index.offset(args.x.strides)], args.a, args.b);
          y[index.offset(args.y.strides)] = static_cast<Y>(value);
        }
      }
    });
  });
}

}  // namespace athanor::reference
