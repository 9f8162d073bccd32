#include <type_traits>
#include <vector>

#include "tensor/backend/reference/reference.h"

namespace athanor::reference {
namespace {

// Calls f(place in [outer, n, inner] that the index names, place in [outer, m, inner]) in order;
// `full` says whether the index has all three axes or only the middle one.
template <class Args, class F>
void for_each(const Args& a, bool full, F&& f) {
  const std::int64_t* index = a.index.template as<std::int64_t>();
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (std::int64_t i = 0; i < a.m; ++i) {
      for (std::int64_t k = 0; k < a.inner; ++k) {
        const std::int64_t small = (o * a.m + i) * a.inner + k;
        const std::int64_t at = full ? index[small] : index[i];
        f((o * a.n + at) * a.inner + k, small);
      }
    }
  }
}

// y[wide] += x[small]; floats add up in double and are rounded once.
template <class Args>
void add_each(const Args& a, bool full) {
  visit(a.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    using Sum = std::conditional_t<std::is_integral_v<C>, std::uint64_t, double>;
    const T* x = a.x.template as<T>();
    T* y = a.y.template as<T>();
    std::vector<Sum> sums(static_cast<std::size_t>(a.outer * a.n * a.inner));
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<Sum>(static_cast<C>(y[i]));
    for_each(a, full, [&](std::int64_t wide, std::int64_t small) {
      sums[static_cast<std::size_t>(wide)] += static_cast<Sum>(static_cast<C>(x[small]));
    });
    for (std::size_t i = 0; i < sums.size(); ++i) y[i] = static_cast<T>(static_cast<C>(sums[i]));
  });
}

template <class Args>
void take_each(const Args& a, bool full) {
  visit(a.x.dtype, [&]<class T>(Tag<T>) {
    const T* x = a.x.template as<T>();
    T* y = a.y.template as<T>();
    for_each(a, full, [&](std::int64_t wide, std::int64_t small) { y[small] = x[wide]; });
  });
}

}  // namespace

void index_select(const IndexSelectArgs& args) { take_each(args, false); }
void gather(const GatherArgs& args) { take_each(args, true); }
void index_add(const IndexAddArgs& args) { add_each(args, false); }
void scatter_add(const ScatterAddArgs& args) { add_each(args, true); }

}  // namespace athanor::reference
