#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "tensor/backend/convert.h"
#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/elementwise.h"
#include "tensor/backend/kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/map.h"
#include "tensor/backend/cpu/vector_math.h"

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
      return map([](T x) { return exp_of(x); });
    case UnaryOp::log:
      return map([](T x) { return log_of(x); });
    case UnaryOp::log1p:
      return map([](T x) { return log1p_of(x); });
    case UnaryOp::expm1:
      return map([](T x) { return expm1_of(x); });
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
      return map([](T x) { return tanh_of(x); });
    case UnaryOp::sigmoid:
      return map([](T x) { return sigmoid_of(x); });
    case UnaryOp::erf:
      return map([](T x) { return erf_of(x); });
    case UnaryOp::relu:
      return map([](T x) { return x < T(0) ? T(0) : x; });
    case UnaryOp::gelu:
      return map([](T x) { return x * normal_cdf_of(x); });
    case UnaryOp::gelu_tanh:
      return map([](T x) {
        const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
        return T(0.5) * x * (T(1) + tanh_of(inner));
      });
    case UnaryOp::silu:
      return map([](T x) { return x * sigmoid_of(x); });
    case UnaryOp::softplus:
      return map([](T x) { return (x > T(0) ? x : T(0)) + log1p_of(exp_of(-std::abs(x))); });
    case UnaryOp::leaky_relu:
      return map([a](T x) { return x > T(0) ? x : a * x; });
    case UnaryOp::elu:
      return map([a](T x) { return x > T(0) ? x : a * expm1_of(x); });
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

// Formulas of the derivatives as in autograd/ops/unary.cpp.
template <class T>
void unary_grad_typed(const UnaryGradArgs& args) {
  const LoopPlan<3> plan = plan_loop<3>({&args.dx, &args.saved, &args.dy});
  const auto map = [&](auto f) {
    map_binary(plan, args.saved.as<T>(), args.dy.as<T>(), args.dx.as<T>(), f);
  };
  switch (args.op) {
    case UnaryOp::relu:
      return map([](T y, T dy) { return y > T(0) ? dy : T(0); });
    case UnaryOp::tanh:
      return map([](T y, T dy) { return dy * (T(1) - y * y); });
    case UnaryOp::sigmoid:
      return map([](T y, T dy) { return dy * (y * (T(1) - y)); });
    case UnaryOp::silu:
      return map([](T x, T dy) {
        const T s = sigmoid_of(x);
        return dy * (s * (x * (T(1) - s) + T(1)));
      });
    case UnaryOp::gelu:
      return map([](T x, T dy) { return dy * gelu_slope_of(x); });
    case UnaryOp::gelu_tanh:
      return map([](T x, T dy) {
        const T c = T(0.79788456080286535588), x2 = x * x;
        const T t = tanh_of(c * (x + T(0.044715) * x * x2));
        const T inner = c * (T(3 * 0.044715) * x2 + T(1));
        return dy * (T(0.5) * (t + T(1)) + T(0.5) * x * (T(1) - t * t) * inner);
      });
    default:
      throw Error("[unary_grad] unknown operation");
  }
}

// 16-bit elements: in f32, by pieces that stay in the cache, rounded once.
constexpr std::int64_t kPiece = 1024;

Operand piece_of(float* values, const std::int64_t& n) {
  static constexpr std::int64_t kSideBySide = 1;
  return {values, &n, &kSideBySide, 1, DType::f32};
}

template <class T>
void widen(std::int64_t n, const T* x, std::int64_t stride, float* values) {
  if (stride == 1) {
    for (std::int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(x[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(x[i * stride]);
  }
}
template <class T>
void narrow(std::int64_t n, const float* values, T* y, std::int64_t stride) {
  if (stride == 1) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = converted<T>(values[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i * stride] = converted<T>(values[i]);
  }
}

// Calls f(n, inputs, result) for pieces of the planned axes, widened; operand 0 is the result.
template <class T, int N, class F>
void map_pieces(const LoopPlan<N>& short_or_long, T* y, const std::array<const T*, N - 1>& x, F f) {
  const LoopPlan<N> plan = with_long_rows(short_or_long);
  for_plan_rows(plan, [&](const auto& at, std::int64_t count) {
    float inputs[N - 1][kPiece], result[kPiece];
    for (std::int64_t begin = 0; begin < count; begin += kPiece) {
      const std::int64_t n = count - begin < kPiece ? count - begin : kPiece;
      for (int k = 0; k + 1 < N; ++k) {
        const std::int64_t stride = plan.inner_stride(k + 1);
        const auto operand = static_cast<std::size_t>(k);
        widen(n, x[operand] + at[operand + 1] + begin * stride, stride, inputs[k]);
      }
      f(n, inputs, result);
      narrow(n, result, y + at[0] + begin * plan.inner_stride(0), plan.inner_stride(0));
    }
  });
}

template <class T>
void unary_low(const UnaryArgs& args) {
  if (args.y.dtype != args.x.dtype) return reference_kernels().unary.run(args);  // to bool
  map_pieces<T, 2>(
      plan_loop<2>({&args.y, &args.x}), args.y.as<T>(), {args.x.as<T>()},
      [&](const std::int64_t& n, auto& inputs, float* result) {
        unary_typed<float>({args.op, args.a, args.b, piece_of(inputs[0], n), piece_of(result, n)});
      });
}

template <class T>
void unary_grad_low(const UnaryGradArgs& args) {
  map_pieces<T, 3>(plan_loop<3>({&args.dx, &args.saved, &args.dy}), args.dx.as<T>(),
                   {args.saved.as<T>(), args.dy.as<T>()},
                   [&](const std::int64_t& n, auto& inputs, float* result) {
                     unary_grad_typed<float>({args.op, piece_of(inputs[0], n),
                                              piece_of(inputs[1], n), piece_of(result, n)});
                   });
}

// Calls f(Tag<T>) for a 16-bit dtype; false for another.
template <class F>
bool visit_low(DType t, F&& f) {
  if (t == DType::f16) return f(Tag<f16>{}), true;
  if (t == DType::bf16) return f(Tag<bf16>{}), true;
  return false;
}

}  // namespace

void unary(const UnaryArgs& args) {
  if (visit_low(args.x.dtype, [&]<class T>(Tag<T>) { unary_low<T>(args); })) return;
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) { unary_typed<T>(args); });
}

void unary_grad(const UnaryGradArgs& args) {
  if (visit_low(args.saved.dtype, [&]<class T>(Tag<T>) { unary_grad_low<T>(args); })) return;
  visit_float(args.saved.dtype, [&]<class T>(Tag<T>) { unary_grad_typed<T>(args); });
}

#include "tensor/backend/cpu/isa_end.h"
