#include <cmath>
#include <type_traits>

#include "tensor/backend/reference/reference.h"

namespace athanor::reference {
namespace {

template <class C>
C value_of(BinaryOp op, C x, C y) {
  using A = arithmetic_t<C>;
  switch (op) {
    case BinaryOp::add:
      return static_cast<C>(static_cast<A>(x) + static_cast<A>(y));
    case BinaryOp::sub:
      return static_cast<C>(static_cast<A>(x) - static_cast<A>(y));
    case BinaryOp::mul:
      return static_cast<C>(static_cast<A>(x) * static_cast<A>(y));
    case BinaryOp::div:
      return static_cast<C>(static_cast<double>(x) / static_cast<double>(y));  // floats only
    case BinaryOp::pow:
      return static_cast<C>(std::pow(static_cast<double>(x), static_cast<double>(y)));
    case BinaryOp::maximum:
      return x != x ? x : (y != y || y > x ? y : x);
    case BinaryOp::minimum:
      return x != x ? x : (y != y || y < x ? y : x);
    default:
      return C(0);
  }
}

template <class C>
bool truth_of(BinaryOp op, C x, C y) {
  switch (op) {
    case BinaryOp::equal:
      return x == y;
    case BinaryOp::not_equal:
      return x != y;
    case BinaryOp::less:
      return x < y;
    case BinaryOp::less_equal:
      return x <= y;
    case BinaryOp::greater:
      return x > y;
    case BinaryOp::greater_equal:
      return x >= y;
    case BinaryOp::logical_and:
      return (x != C(0)) && (y != C(0));
    case BinaryOp::logical_or:
      return (x != C(0)) || (y != C(0));
    case BinaryOp::logical_xor:
      return (x != C(0)) != (y != C(0));
    default:
      return false;
  }
}

}  // namespace

void binary(const BinaryArgs& args) {
  const bool to_bool = args.op >= BinaryOp::equal;
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const T* x = args.x.as<T>();
    const T* y = args.y.as<T>();
    Index index(args.z.sizes, args.z.rank);
    const std::int64_t n = args.z.numel();
    for (std::int64_t i = 0; i < n; ++i, index.next()) {
      const C left = x[index.offset(args.x.strides)];
      const C right = y[index.offset(args.y.strides)];
      const std::int64_t at = index.offset(args.z.strides);
      if (to_bool) {
        args.z.as<bool>()[at] = truth_of<C>(args.op, left, right);
      } else {
        args.z.as<T>()[at] = static_cast<T>(value_of<C>(args.op, left, right));
      }
    }
  });
}

}  // namespace athanor::reference
