#include <vector>

#include "tensor/backend/reference/reference.h"

namespace athanor::reference {
namespace {

// Sums of 16- and 32-bit floats run in double, so that the reference is the more exact side.
template <class T>
using sum_t = std::conditional_t<std::is_integral_v<compute_t<T>>, std::uint64_t, double>;

// Calls visit_element(offset of x, index of the result's element) for each element of x, where the
// results are numbered along the kept axes.
template <class F>
void for_each(const ReduceArgs& args, F&& visit_element) {
  Index index(args.x.sizes, args.x.rank);
  const std::int64_t n = args.x.numel();
  for (std::int64_t i = 0; i < n; ++i, index.next()) {
    visit_element(index.offset(args.x.strides), index.offset(args.y.strides));
  }
}

// Sizes of y without the reduced axes, for walking its elements once.
std::vector<std::int64_t> kept_sizes(const Operand& y) {
  std::vector<std::int64_t> sizes(y.sizes, y.sizes + y.rank);
  for (int i = 0; i < y.rank; ++i) {
    if (y.strides[i] == 0) sizes[static_cast<std::size_t>(i)] = 1;
  }
  return sizes;
}

template <class Y>
void set_all(const Operand& y, Y value) {
  const std::vector<std::int64_t> sizes = kept_sizes(y);
  Index index(sizes.data(), y.rank);
  std::int64_t n = 1;
  for (std::int64_t s : sizes) n *= s;
  for (std::int64_t i = 0; i < n; ++i, index.next()) y.as<Y>()[index.offset(y.strides)] = value;
}

template <class T>
void sum_typed(const ReduceArgs& args) {
  // The span of y's memory, as wide accumulators.
  std::int64_t span = 1;
  for (int i = 0; i < args.y.rank; ++i) {
    if (args.y.sizes[i] > 0) span += (args.y.sizes[i] - 1) * args.y.strides[i];
  }
  std::vector<sum_t<T>> sums(static_cast<std::size_t>(span), 0);
  const T* x = args.x.as<T>();
  for_each(args, [&](std::int64_t from, std::int64_t to) {
    sums[static_cast<std::size_t>(to)] += static_cast<sum_t<T>>(static_cast<compute_t<T>>(x[from]));
  });
  const std::vector<std::int64_t> sizes = kept_sizes(args.y);
  Index index(sizes.data(), args.y.rank);
  std::int64_t n = 1;
  for (std::int64_t s : sizes) n *= s;
  for (std::int64_t i = 0; i < n; ++i, index.next()) {
    const std::int64_t at = index.offset(args.y.strides);
    const sum_t<T> total = sums[static_cast<std::size_t>(at)];
    args.y.as<T>()[at] = static_cast<T>(static_cast<compute_t<T>>(total));
  }
}

template <class T>
void extreme_typed(const ReduceArgs& args) {
  using C = compute_t<T>;
  const T* x = args.x.as<T>();
  T* y = args.y.as<T>();
  // First pass: some element of each group. Second pass: the extreme one; NaN wins.
  for_each(args, [&](std::int64_t from, std::int64_t to) { y[to] = x[from]; });
  for_each(args, [&](std::int64_t from, std::int64_t to) {
    const C value = x[from], best = y[to];
    const bool better = args.op == ReduceOp::max ? value > best : value < best;
    if (best == best && (better || value != value)) y[to] = x[from];
  });
}

template <class T>
void truth_typed(const ReduceArgs& args) {
  const bool any = args.op == ReduceOp::any;
  set_all<bool>(args.y, !any);
  const T* x = args.x.as<T>();
  for_each(args, [&](std::int64_t from, std::int64_t to) {
    const bool value = static_cast<compute_t<T>>(x[from]) != compute_t<T>(0);
    if (value == any) args.y.as<bool>()[to] = any;
  });
}

}  // namespace

void reduce(const ReduceArgs& args) {
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    switch (args.op) {
      case ReduceOp::sum:
        return sum_typed<T>(args);
      case ReduceOp::max:
      case ReduceOp::min:
        return extreme_typed<T>(args);
      case ReduceOp::any:
      case ReduceOp::all:
        return truth_typed<T>(args);
    }
  });
}

}  // namespace athanor::reference
