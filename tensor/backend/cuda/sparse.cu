// Sparse matrix products by row, in the order of the entries: no atomics, the same bits every time.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/group.cuh"

namespace athanor::cuda {
namespace {

// y[row, k]: a thread each, k fastest, so that a warp reads neighbours.
template <class T>
__global__ void csr_matmul_elements(std::int64_t rows, std::int64_t inner, std::int64_t n,
                                    const std::int64_t* offsets, const std::int64_t* columns,
                                    const std::int64_t* order, const T* values, const T* x, T* y,
                                    std::int32_t* error) {
  using C = compute_t<T>;
  for (std::int64_t i = grid_thread(); i < rows * inner; i += grid_threads()) {
    const std::int64_t row = quotient(i, inner), k = i - row * inner, last = offsets[row + 1];
    C total = 0;
    for (std::int64_t e = offsets[row]; e < last; ++e) {
      const std::int64_t column = columns[e];
      if (!check_index(column, n, error)) continue;
      const C value = values ? wide(values[order ? order[e] : e]) : C(1);
      total += value * wide(x[column * inner + k]);
    }
    y[i] = narrow<T>(total);
  }
}

// y[e]: a group of threads each.
template <class T>
__global__ void __launch_bounds__(kMostGroup)
    csr_dot_entries(int threads, std::int64_t n, std::int64_t inner, std::int64_t a_rows,
                    std::int64_t b_rows, const std::int64_t* rows, const std::int64_t* columns,
                    const T* a, const T* b, T* y, std::int32_t* error) {
  using C = compute_t<T>;
  const Group group(threads);
  for_each_turn(group, n, [&](std::int64_t e, bool entry) {
    const std::int64_t row = entry ? rows[e] : 0, column = entry ? columns[e] : 0;
    const bool present =
        entry && check_index(row, a_rows, error) && check_index(column, b_rows, error);
    C total = 0;
    for_row(
        group, present ? inner : 0,
        [&](std::int64_t, T left, T right) { total += wide(left) * wide(right); },
        RowOf<const T>{a + row * inner, 1}, RowOf<const T>{b + column * inner, 1});
    total = group.all<Sum<C>>(total);
    if (entry && group.rank() == 0) y[e] = narrow<T>(total);
  });
}

// Rows of an operand [..., inner].
std::int64_t rows_before(const Operand& x, std::int64_t inner) {
  return inner > 0 ? x.numel() / inner : 0;
}

}  // namespace

void csr_matmul(const CsrMatmulArgs& args) {
  if (args.rows * args.inner == 0) return;
  visit_real(args.x.dtype, [&]<class T>(Tag<T>) {
    launch_kernel(csr_matmul_elements<T>, grid_for(args.rows * args.inner), Dim3{kBlock}, 0,
                  current_stream(), args.rows, args.inner, rows_before(args.x, args.inner),
                  args.offsets.as<std::int64_t>(), args.columns.as<std::int64_t>(),
                  args.order.as<std::int64_t>(), args.values.as<T>(), args.x.as<T>(),
                  args.y.as<T>(), index_error());
  });
}

void csr_dot(const CsrDotArgs& args) {
  if (args.n == 0) return;
  visit_real(args.a.dtype, [&]<class T>(Tag<T>) {
    launch_rows(plan_groups(args.n, args.inner, false), csr_dot_entries<T>, args.n, args.inner,
                rows_before(args.a, args.inner), rows_before(args.b, args.inner),
                args.rows.as<std::int64_t>(), args.columns.as<std::int64_t>(), args.a.as<T>(),
                args.b.as<T>(), args.y.as<T>(), index_error());
  });
}

}  // namespace athanor::cuda
