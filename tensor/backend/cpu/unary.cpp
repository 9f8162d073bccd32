#include <cmath>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/elementwise.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/map.h"

namespace {

template <class T>
void unary_typed(const UnaryArgs& args) {
  const LoopPlan<2> plan = plan_loop<2>({&args.y, &args.x});
  const T a = static_cast<T>(args.a), b = static_cast<T>(args.b);
  const auto map = [&](auto f) { map_unary(plan, args.x.as<T>(), args.y.as<T>(), f); };
  const auto map_bool = [&](auto f) { map_unary(plan, args.x.as<T>(), args.y.as<bool>(), f); };
  switch (args.op) {
    case UnaryOp::neg:
      return map([](T x) { return -x; });
    case UnaryOp::abs:
      return map([](T x) { return std::abs(x); });
    case UnaryOp::exp:
      return map([](T x) { return std::exp(x); });
    case UnaryOp::log:
      return map([](T x) { return std::log(x); });
    case UnaryOp::log1p:
      return map([](T x) { return std::log1p(x); });
    case UnaryOp::expm1:
      return map([](T x) { return std::expm1(x); });
    case UnaryOp::sqrt:
      return map([](T x) { return std::sqrt(x); });
    case UnaryOp::rsqrt:
      return map([](T x) { return T(1) / std::sqrt(x); });
    case UnaryOp::reciprocal:
      return map([](T x) { return T(1) / x; });
    case UnaryOp::sin:
      return map([](T x) { return std::sin(x); });
    case UnaryOp::cos:
      return map([](T x) { return std::cos(x); });
    case UnaryOp::tanh:
      return map([](T x) { return std::tanh(x); });
    case UnaryOp::sigmoid:
      return map([](T x) { return T(1) / (T(1) + std::exp(-x)); });
    case UnaryOp::erf:
      return map([](T x) { return std::erf(x); });
    case UnaryOp::relu:
      return map([](T x) { return x < T(0) ? T(0) : x; });
    case UnaryOp::gelu:
      return map([](T x) { return T(0.5) * x * (T(1) + std::erf(x * T(0.70710678118654752440))); });
    case UnaryOp::gelu_tanh:
      return map([](T x) {
        const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
        return T(0.5) * x * (T(1) + std::tanh(inner));
      });
    case UnaryOp::silu:
      return map([](T x) { return x / (T(1) + std::exp(-x)); });
    case UnaryOp::softplus:
      return map([](T x) { return (x > T(0) ? x : T(0)) + std::log1p(std::exp(-std::abs(x))); });
    case UnaryOp::leaky_relu:
      return map([a](T x) { return x > T(0) ? x : a * x; });
    case UnaryOp::elu:
      return map([a](T x) { return x > T(0) ? x : a * std::expm1(x); });
    case UnaryOp::floor:
      return map([](T x) { return std::floor(x); });
    case UnaryOp::round:
      return map([](T x) { return std::nearbyint(x); });
    case UnaryOp::sign:
      return map([](T x) { return T((x > T(0)) - (x < T(0))); });
    case UnaryOp::square:
      return map([](T x) { return x * x; });
    case UnaryOp::clamp:
      return map([a, b](T x) { return x < a ? a : (x > b ? b : x); });
    case UnaryOp::add_scalar:
      return map([a](T x) { return x + a; });
    case UnaryOp::mul_scalar:
      return map([a](T x) { return x * a; });
    case UnaryOp::pow_scalar:
      return map([a](T x) { return std::pow(x, a); });
    case UnaryOp::is_finite:
      return map_bool([](T x) { return x - x == T(0); });
    case UnaryOp::is_nan:
      return map_bool([](T x) { return x != x; });
    case UnaryOp::logical_not:
      return map_bool([](T x) { return x == T(0); });
  }
}

}  // namespace

void unary(const UnaryArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) { unary_typed<T>(args); });
}

#include "tensor/backend/cpu/isa_end.h"
