// Elementwise, two inputs of one dtype. One kernel a dtype holds all operations; which one is the
// same for all threads, so each gets its own loop.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/loop.cuh"

namespace athanor::cuda {
namespace {

template <class T>
__device__ inline void arithmetic_loop(BinaryOp op, const Loop<3>& loop, T* z, const T* x,
                                       const T* y) {
  using C = compute_t<T>;
  using A = arithmetic_t<C>;
  const auto run = [&](auto f) {
    map<kPackSize<T>>(
        loop, [f](T a, T b) { return narrow<T>(f(wide(a), wide(b))); }, z, x, y);
  };
  const auto wrapping = [&](auto f) {
    run([f](C a, C b) { return static_cast<C>(f(static_cast<A>(a), static_cast<A>(b))); });
  };
  switch (op) {
    case BinaryOp::add:
      return wrapping([](A a, A b) { return a + b; });
    case BinaryOp::sub:
      return wrapping([](A a, A b) { return a - b; });
    case BinaryOp::mul:
      return wrapping([](A a, A b) { return a * b; });
    case BinaryOp::maximum:
      return run([](C a, C b) { return a != a ? a : (b != b || b > a ? b : a); });
    case BinaryOp::minimum:
      return run([](C a, C b) { return a != a ? a : (b != b || b < a ? b : a); });
    default:
      break;
  }
  if constexpr (is_real<T>) {
    if (op == BinaryOp::div) return run([](C a, C b) { return a / b; });
    if (op == BinaryOp::pow) return run([](C a, C b) { return ::pow(a, b); });
  }
}

template <class T>
__device__ inline void truth_loop(BinaryOp op, const Loop<3>& loop, bool* z, const T* x,
                                  const T* y) {
  using C = compute_t<T>;
  const auto run = [&](auto f) {
    map<kPackSize<T>>(
        loop, [f](T a, T b) -> bool { return f(wide(a), wide(b)); }, z, x, y);
  };
  switch (op) {
    case BinaryOp::equal:
      return run([](C a, C b) { return a == b; });
    case BinaryOp::not_equal:
      return run([](C a, C b) { return a != b; });
    case BinaryOp::less:
      return run([](C a, C b) { return a < b; });
    case BinaryOp::less_equal:
      return run([](C a, C b) { return a <= b; });
    case BinaryOp::greater:
      return run([](C a, C b) { return a > b; });
    case BinaryOp::greater_equal:
      return run([](C a, C b) { return a >= b; });
    case BinaryOp::logical_and:
      return run([](C a, C b) { return a != C(0) && b != C(0); });
    case BinaryOp::logical_or:
      return run([](C a, C b) { return a != C(0) || b != C(0); });
    case BinaryOp::logical_xor:
      return run([](C a, C b) { return (a != C(0)) != (b != C(0)); });
    default:
      break;
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    arithmetic(Loop<3> loop, BinaryOp op, T* z, const T* x, const T* y) {
  arithmetic_loop(op, loop, z, x, y);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    truth(Loop<3> loop, BinaryOp op, bool* z, const T* x, const T* y) {
  truth_loop(op, loop, z, x, y);
}

}  // namespace

void binary(const BinaryArgs& args) {
  const LoopPlan<3> plan = plan_loop<3>({&args.z, &args.x, &args.y});
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    const T *x_data = args.x.as<const T>(), *y_data = args.y.as<const T>();
    if (args.op >= BinaryOp::equal) {
      const auto run = [&](const Loop<3>& loop, bool* z, const T* x, const T* y) {
        launch_loop(loop, truth<T>, args.op, z, x, y);
      };
      return for_each_loop<kPackSize<T>>(plan, run, args.z.as<bool>(), x_data, y_data);
    }
    const auto run = [&](const Loop<3>& loop, T* z, const T* x, const T* y) {
      launch_loop(loop, arithmetic<T>, args.op, z, x, y);
    };
    for_each_loop<kPackSize<T>>(plan, run, args.z.as<T>(), x_data, y_data);
  });
}

}  // namespace athanor::cuda
