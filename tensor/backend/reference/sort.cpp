#include <algorithm>
#include <vector>

#include "tensor/backend/reference/reference.h"
#include "tensor/backend/rows.h"

namespace athanor::reference {
namespace {

// Whether a stands before b; NaN stands last in both directions.
template <class C>
bool before(C a, C b, bool descending) {
  if (a != a || b != b) return a == a;
  return descending ? a > b : a < b;
}

}  // namespace

void sort(const SortArgs& args) {
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const Rows<3> rows = rows_of<3>({&args.x, &args.y, &args.index});
    const std::int64_t n = row_size(args.x);
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      const T* x = args.x.as<T>() + at[0];
      const auto value = [&](std::int64_t i) { return static_cast<C>(x[i * row_stride(args.x)]); };
      for (std::int64_t i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = i;
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return before<C>(value(a), value(b), args.descending);
      });
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t from = order[static_cast<std::size_t>(i)];
        args.y.as<T>()[at[1] + i * row_stride(args.y)] = x[from * row_stride(args.x)];
        args.index.as<std::int64_t>()[at[2] + i * row_stride(args.index)] = from;
      }
    }
  });
}

void arg_reduce(const ArgReduceArgs& args) {
  visit(args.x.dtype, [&]<class T>(Tag<T>) {
    using C = compute_t<T>;
    const Rows<2> rows = rows_of<2>({&args.x, &args.y});
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const auto at = rows.offsets(row);
      const T* x = args.x.as<T>() + at[0];
      std::int64_t best = 0;
      C extreme = x[0];
      for (std::int64_t i = 1; i < row_size(args.x) && extreme == extreme; ++i) {
        const C value = x[i * row_stride(args.x)];
        if (value != value || (args.largest ? value > extreme : value < extreme)) {
          best = i;
          extreme = value;
        }
      }
      args.y.as<std::int64_t>()[at[1]] = best;
    }
  });
}

}  // namespace athanor::reference
