#include <cmath>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/elementwise.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/map.h"

namespace {

template <class T>
void binary_typed(const BinaryArgs& args) {
  const LoopPlan<3> plan = plan_loop<3>({&args.z, &args.x, &args.y});
  const auto map = [&](auto f) {
    map_binary(plan, args.x.as<T>(), args.y.as<T>(), args.z.as<T>(), f);
  };
  const auto map_bool = [&](auto f) {
    map_binary(plan, args.x.as<T>(), args.y.as<T>(), args.z.as<bool>(), f);
  };
  switch (args.op) {
    case BinaryOp::add:
      return map([](T x, T y) { return x + y; });
    case BinaryOp::sub:
      return map([](T x, T y) { return x - y; });
    case BinaryOp::mul:
      return map([](T x, T y) { return x * y; });
    case BinaryOp::div:
      return map([](T x, T y) { return x / y; });
    case BinaryOp::pow:
      return map([](T x, T y) { return std::pow(x, y); });
    case BinaryOp::maximum:
      return map([](T x, T y) { return x != x || x > y ? x : y; });
    case BinaryOp::minimum:
      return map([](T x, T y) { return x != x || x < y ? x : y; });
    case BinaryOp::equal:
      return map_bool([](T x, T y) { return x == y; });
    case BinaryOp::not_equal:
      return map_bool([](T x, T y) { return x != y; });
    case BinaryOp::less:
      return map_bool([](T x, T y) { return x < y; });
    case BinaryOp::less_equal:
      return map_bool([](T x, T y) { return x <= y; });
    case BinaryOp::greater:
      return map_bool([](T x, T y) { return x > y; });
    case BinaryOp::greater_equal:
      return map_bool([](T x, T y) { return x >= y; });
    case BinaryOp::logical_and:
      return map_bool([](T x, T y) { return x != T(0) && y != T(0); });
    case BinaryOp::logical_or:
      return map_bool([](T x, T y) { return x != T(0) || y != T(0); });
    case BinaryOp::logical_xor:
      return map_bool([](T x, T y) { return (x != T(0)) != (y != T(0)); });
  }
}

}  // namespace

void binary(const BinaryArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) { binary_typed<T>(args); });
}

#include "tensor/backend/cpu/isa_end.h"
