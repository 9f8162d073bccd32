// Elementwise, one input. One kernel a dtype holds all operations; which one is the same for all
// threads, so each gets its own loop.
#include "tensor/backend/convert.h"
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/loop.cuh"

namespace athanor::cuda {
namespace {

// Operations that every number has. False: `op` is none of them.
template <class T>
__device__ inline bool number_loop(UnaryOp op, const Loop<2>& loop, T* y, const T* x,
                                   compute_t<T> a, compute_t<T> b) {
  using C = compute_t<T>;
  using A = arithmetic_t<C>;
  const auto run = [&](auto f) {
    map<kPackSize<T>>(
        loop, [f](T value) { return narrow<T>(f(wide(value))); }, y, x);
    return true;
  };
  switch (op) {
    case UnaryOp::neg:
      return run([](C v) { return static_cast<C>(A(0) - static_cast<A>(v)); });
    case UnaryOp::abs:
      return run([](C v) {
        if constexpr (std::is_unsigned_v<C>) {
          return v;
        } else {
          return v < C(0) ? static_cast<C>(A(0) - static_cast<A>(v)) : v;
        }
      });
    case UnaryOp::relu:
      return run([](C v) { return v > C(0) ? v : (v == v ? C(0) : v); });
    case UnaryOp::square:
      return run([](C v) { return static_cast<C>(static_cast<A>(v) * static_cast<A>(v)); });
    case UnaryOp::sign:
      return run([](C v) {
        if constexpr (std::is_unsigned_v<C>) {
          return static_cast<C>(v != C(0));
        } else {
          return static_cast<C>((v > C(0)) - (v < C(0)));
        }
      });
    case UnaryOp::clamp:
      return run([a, b](C v) {
        const C raised = v < a ? a : v;
        return b < raised ? b : raised;
      });
    case UnaryOp::add_scalar:
      return run([a](C v) { return static_cast<C>(static_cast<A>(v) + static_cast<A>(a)); });
    case UnaryOp::mul_scalar:
      return run([a](C v) { return static_cast<C>(static_cast<A>(v) * static_cast<A>(a)); });
    default:
      return false;
  }
}

// Operations that only floats have; C is float or double.
template <class C>
__device__ inline C gelu_of(C v) {
  return C(0.5) * v * (C(1) + ::erf(v * C(0.70710678118654752440)));
}
template <class C>
__device__ inline C gelu_tanh_of(C v) {
  const C inner = C(0.79788456080286535588) * (v + C(0.044715) * v * v * v);
  return C(0.5) * v * (C(1) + ::tanh(inner));
}
template <class C>
__device__ inline C sigmoid_of(C v) {
  const C e = ::exp(v < C(0) ? v : -v);  // at most 1
  return (v < C(0) ? e : C(1)) / (C(1) + e);
}
template <class C>
__device__ inline C softplus_of(C v) {
  return (v > C(0) ? v : C(0)) + ::log1p(::exp(v > C(0) ? -v : v));
}

// Operations that are rare, or so long that a call does not count: compiled once a compute type
// instead of once an element of each loop.
template <class C>
__device__ __attribute__((noinline)) C rare_of(UnaryOp op, C v, C a) {
  switch (op) {
    case UnaryOp::log1p:
      return ::log1p(v);
    case UnaryOp::expm1:
      return ::expm1(v);
    case UnaryOp::sin:
      return ::sin(v);
    case UnaryOp::cos:
      return ::cos(v);
    case UnaryOp::erf:
      return ::erf(v);
    case UnaryOp::gelu_tanh:
      return gelu_tanh_of(v);
    case UnaryOp::softplus:
      return softplus_of(v);
    case UnaryOp::leaky_relu:
      return v > C(0) ? v : a * v;
    case UnaryOp::elu:
      return v > C(0) ? v : a * ::expm1(v);
    case UnaryOp::floor:
      return ::floor(v);
    case UnaryOp::round:
      return ::rint(v);
    case UnaryOp::reciprocal:
      return C(1) / v;
    case UnaryOp::pow_scalar:
      return ::pow(v, a);
    // Long in double; f32 and less have loops of their own.
    case UnaryOp::exp:
      return ::exp(v);
    case UnaryOp::log:
      return ::log(v);
    case UnaryOp::sqrt:
      return ::sqrt(v);
    case UnaryOp::rsqrt:
      return C(1) / ::sqrt(v);
    case UnaryOp::tanh:
      return ::tanh(v);
    case UnaryOp::sigmoid:
      return sigmoid_of(v);
    case UnaryOp::gelu:
      return gelu_of(v);
    default:
      return v * sigmoid_of(v);  // silu
  }
}

template <class T>
__device__ inline void real_loop(UnaryOp op, const Loop<2>& loop, T* y, const T* x,
                                 compute_t<T> a) {
  using C = compute_t<T>;
  const auto run = [&](auto f) {
    map<kPackSize<T>>(
        loop, [f](T value) { return narrow<T>(f(wide(value))); }, y, x);
  };
  if constexpr (!std::is_same_v<T, double>) {
    switch (op) {
      case UnaryOp::exp:
        return run([](C v) { return ::exp(v); });
      case UnaryOp::log:
        return run([](C v) { return ::log(v); });
      case UnaryOp::sqrt:
        return run([](C v) { return ::sqrt(v); });
      case UnaryOp::rsqrt:
        return run([](C v) { return C(1) / ::sqrt(v); });
      case UnaryOp::tanh:
        return run([](C v) { return ::tanh(v); });
      case UnaryOp::sigmoid:
        return run([](C v) { return sigmoid_of(v); });
      case UnaryOp::gelu:
        return run([](C v) { return gelu_of(v); });
      case UnaryOp::silu:
        return run([](C v) { return v * sigmoid_of(v); });
      default:
        break;
    }
  }
  run([op, a](C v) { return rare_of(op, v, a); });
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    number_op(Loop<2> loop, UnaryOp op, T* y, const T* x, compute_t<T> a, compute_t<T> b) {
  if (number_loop(op, loop, y, x, a, b)) return;
  if constexpr (is_real<T>) real_loop(op, loop, y, x, a);
}

template <class T>
__global__ void __launch_bounds__(kBlock) truth_op(Loop<2> loop, UnaryOp op, bool* y, const T* x) {
  using C = compute_t<T>;
  const auto run = [&](auto f) {
    map<kPackSize<T>>(
        loop, [f](T value) -> bool { return f(wide(value)); }, y, x);
  };
  switch (op) {
    case UnaryOp::is_finite:
      // Infinity minus itself is NaN, which differs from itself.
      return run([](C v) { return v - v == v - v; });
    case UnaryOp::is_nan:
      return run([](C v) { return v != v; });
    default:
      return run([](C v) { return v == C(0); });
  }
}

// dx = dy f'(x); `saved` is f(x) where that gives the slope, else x.
template <class T>
__global__ void __launch_bounds__(kBlock)
    activation_grad(Loop<3> loop, UnaryOp op, T* dx, const T* saved, const T* dy) {
  using C = compute_t<T>;
  const auto run = [&](auto slope) {
    map<kPackSize<T>>(
        loop, [slope](T s, T d) { return narrow<T>(wide(d) * slope(wide(s))); }, dx, saved, dy);
  };
  switch (op) {
    case UnaryOp::relu:
      // A slope of 0 hides whatever dy is.
      return map<kPackSize<T>>(
          loop, [](T s, T d) { return wide(s) > C(0) ? d : narrow<T>(C(0)); }, dx, saved, dy);
    case UnaryOp::tanh:
      return run([](C y) { return C(1) - y * y; });
    case UnaryOp::sigmoid:
      return run([](C y) { return y * (C(1) - y); });
    case UnaryOp::silu:
      return run([](C x) {
        const C s = sigmoid_of(x);
        return s * (C(1) + x * (C(1) - s));
      });
    case UnaryOp::gelu:
      return run([](C x) {
        const C cdf = C(0.5) * (C(1) + ::erf(x * C(0.70710678118654752440)));
        return cdf + x * C(0.39894228040143267794) * ::exp(C(-0.5) * x * x);
      });
    default:
      return run([](C x) {
        constexpr C c = C(0.79788456080286535588), cube = C(0.044715);
        const C t = ::tanh(c * (x + cube * x * x * x));
        return C(0.5) * (C(1) + t) + C(0.5) * x * (C(1) - t * t) * c * (C(1) + C(3) * cube * x * x);
      });
  }
}

}  // namespace

void unary_grad(const UnaryGradArgs& args) {
  const LoopPlan<3> plan = plan_loop<3>({&args.dx, &args.saved, &args.dy});
  visit_real(args.saved.dtype, [&]<class T>(Tag<T>) {
    const auto run = [&](const Loop<3>& loop, T* dx, const T* saved, const T* dy) {
      launch_loop(loop, activation_grad<T>, args.op, dx, saved, dy);
    };
    for_each_loop<kPackSize<T>>(plan, run, args.dx.as<T>(), args.saved.as<const T>(),
                                args.dy.as<const T>());
  });
}

void unary(const UnaryArgs& args) {
  const LoopPlan<2> plan = plan_loop<2>({&args.y, &args.x});
  const bool to_bool = args.op == UnaryOp::is_finite || args.op == UnaryOp::is_nan ||
                       args.op == UnaryOp::logical_not;
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const T* x_data = args.x.as<const T>();
    if (to_bool) {
      const auto run = [&](const Loop<2>& loop, bool* y, const T* x) {
        launch_loop(loop, truth_op<T>, args.op, y, x);
      };
      return for_each_loop<kPackSize<T>>(plan, run, args.y.as<bool>(), x_data);
    }
    // clamp's ends saturate; the operands of the other operations keep their value.
    const bool ends = args.op == UnaryOp::clamp;
    const C a = ends ? converted<C>(args.a) : static_cast<C>(args.a), b = converted<C>(args.b);
    const auto run = [&](const Loop<2>& loop, T* y, const T* x) {
      launch_loop(loop, number_op<T>, args.op, y, x, a, b);
    };
    for_each_loop<kPackSize<T>>(plan, run, args.y.as<T>(), x_data);
  });
}

}  // namespace athanor::cuda
