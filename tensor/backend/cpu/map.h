// Elementwise loops of the CPU kernels: the inner loop runs over contiguous memory where it can, so
// that the compiler turns it into vector code; the outer loop is spread over threads.
//
// The inner loops run on copies of what they read: through the closure's pointer the compiler would
// have to expect that the stores change it.
//
// Included after isa_begin.h, so that the loops are compiled for the file's instruction set.
#pragma once

#include "tensor/backend/cpu/stream.h"

// Elements a thread takes at least: below, starting threads costs more than it saves.
inline constexpr std::int64_t kMapGrain = 32768;

// Calls row(offsets, count), spread over threads, for the rows of the plan; where there is one row
// only, for pieces of it. `offsets` are those of the first element, one an operand.
template <int N, class F>
inline void for_plan_rows(const LoopPlan<N>& plan, F row) {
  const std::int64_t n = plan.inner_size(), rows = plan.outer_count();
  const bool one_row = rows == 1;
  const std::int64_t grain = one_row ? kMapGrain : kMapGrain / (n > 0 ? n : 1) + 1;
  parallel_for(one_row ? n : rows, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t skip = one_row ? begin : 0, count = one_row ? end - begin : n;
    for (std::int64_t r = one_row ? 0 : begin, last = one_row ? 1 : end; r < last; ++r) {
      auto at = plan.outer_offsets(r);
      for (int i = 0; i < N; ++i) at[static_cast<std::size_t>(i)] += skip * plan.inner_stride(i);
      row(at, count);
    }
  });
}

// The plan with its two innermost axes exchanged where the inner one is so short that its rows
// would cost more to start than to run: a few channels beside many pixels.
template <int N>
inline LoopPlan<N> with_long_rows(LoopPlan<N> plan) {
  constexpr std::int64_t kShort = 8;
  if (plan.rank < 2 || plan.inner_size() >= kShort) return plan;
  const int inner = plan.rank - 1, outer = plan.rank - 2;
  if (plan.sizes[outer] < 4 * kShort) return plan;
  const auto exchange = [](std::int64_t& a, std::int64_t& b) {
    const std::int64_t kept = a;
    a = b, b = kept;
  };
  exchange(plan.sizes[inner], plan.sizes[outer]);
  for (int i = 0; i < N; ++i) exchange(plan.strides[inner][i], plan.strides[outer][i]);
  return plan;
}

// Whether the results of type Z, one an element of the plan, go past the cache.
template <class Z, int N>
inline bool streams(const LoopPlan<N>& plan) {
  if constexpr (std::is_same_v<Z, float> || std::is_same_v<Z, std::uint32_t>) {
    return streams_results<Z>(plan.inner_size() * plan.outer_count() * N);
  }
  return false;
}

// to[i] = value(i)
template <class Z, class F>
inline void write_row(bool stream, std::int64_t count, Z* to, const F& value) {
  if constexpr (std::is_same_v<Z, float> || std::is_same_v<Z, std::uint32_t>) {
    if (stream) return stream_values(count, to, value);
  }
  for (std::int64_t i = 0; i < count; ++i) to[i] = value(i);
}

// y[i] = f(x[i]) over the planned axes; plan operand 0 is y, 1 is x.
template <class X, class Y, class F>
inline void map_unary(const LoopPlan<2>& short_or_long, const X* x, Y* y, const F& function) {
  const LoopPlan<2> plan = with_long_rows(short_or_long);
  const bool stream = streams<Y>(plan);
  for_plan_rows(plan, [&](const auto& at, std::int64_t count) ATHANOR_FLATTEN {
    const F f = function;
    const std::int64_t ys = plan.inner_stride(0), xs = plan.inner_stride(1);
    const X* from = x + at[1];
    Y* to = y + at[0];
    if (xs == 1 && ys == 1) {
      write_row(stream, count, to, [&](std::int64_t i) { return f(from[i]); });
    } else {
      for (std::int64_t i = 0; i < count; ++i) to[i * ys] = f(from[i * xs]);
    }
  });
}

// z[i] = f(x[i], y[i]) over the planned axes; plan operand 0 is z, 1 is x, 2 is y.
template <class T, class Z, class F>
inline void map_binary(const LoopPlan<3>& short_or_long, const T* x, const T* y, Z* z,
                       const F& function) {
  const LoopPlan<3> plan = with_long_rows(short_or_long);
  const bool stream = streams<Z>(plan);
  for_plan_rows(plan, [&](const auto& at, std::int64_t count) ATHANOR_FLATTEN {
    const F f = function;
    const std::int64_t zs = plan.inner_stride(0), xs = plan.inner_stride(1),
                       ys = plan.inner_stride(2);
    const T *a = x + at[1], *b = y + at[2];
    Z* to = z + at[0];
    if (zs == 1 && xs == 1 && ys == 1) {
      write_row(stream, count, to, [&](std::int64_t i) { return f(a[i], b[i]); });
    } else if (zs == 1 && xs == 1 && ys == 0) {
      const T right = *b;
      for (std::int64_t i = 0; i < count; ++i) to[i] = f(a[i], right);
    } else if (zs == 1 && xs == 0 && ys == 1) {
      const T left = *a;
      for (std::int64_t i = 0; i < count; ++i) to[i] = f(left, b[i]);
    } else {
      for (std::int64_t i = 0; i < count; ++i) to[i * zs] = f(a[i * xs], b[i * ys]);
    }
  });
}
