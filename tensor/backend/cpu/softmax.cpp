#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/backend/rows.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"
#include "tensor/backend/cpu/stream.h"

namespace {

// A row whose exponentials are taken and not yet written: y[i] = e[i] * scale.
template <class T>
struct Unwritten {
  const T* e = nullptr;  // nullptr: no row
  T scale = 0;
  T* y = nullptr;
};

// How many elements ahead lines of rows in turn are asked for.
template <class T>
constexpr std::int64_t kTurnAhead = 2048 / sizeof(T);

template <bool kStream, class T>
ATHANOR_INLINE void write_lanes(const Unwritten<T>& row, std::int64_t i) {
  constexpr std::int64_t W = VectorOf<T>::lanes;
  if constexpr (kStream) {
    ATHANOR_UNROLL
    for (std::int64_t at = i; at < i + 2 * W; at += kLineOf<T>) {
      alignas(64) T line[kLineOf<T>];
      for (std::int64_t k = 0; k < kLineOf<T>; ++k) line[k] = row.e[at + k] * row.scale;
      stream_line(line, row.y + at);
    }
  } else {
    for (std::int64_t line = i + kTurnAhead<T>; line < i + kTurnAhead<T> + 2 * W;
         line += kLineOf<T>)
      __builtin_prefetch(row.y + line, 1);
    store_lanes(row.y + i, load_lanes(row.e + i) * row.scale);
    store_lanes(row.y + i + W, load_lanes(row.e + i + W) * row.scale);
  }
}

// e [n] = exp(x - largest) of a contiguous row whose largest value is finite; returns their sum,
// NaN if x holds one. Between the exponentials the row before is written and the row that comes
// next is looked through for its largest value (a NaN may get lost), so that memory is read,
// written and waited for while the core computes. Without a `next` there is none.
template <bool kStream, class T>
__attribute__((noinline)) T softmax_lanes(  // inlined, it runs out of registers
    const T* x, T largest, T* e, std::int64_t n, const Unwritten<T>& before, const T* next,
    T& next_largest) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  V sum{}, a = V{} + kLowest, b = a;
  const Unwritten<T> row = before;
  std::int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    if (next) {
      for (std::int64_t line = 0; line < 2 * W; line += kLineOf<T>) {
        __builtin_prefetch(next + i + line + kTurnAhead<T>);
      }
      const V c = load_lanes(next + i), d = load_lanes(next + i + W);
      a = a > c ? a : c;
      b = b > d ? b : d;
    }
    V both[2] = {load_lanes(x + i) - largest, load_lanes(x + i + W) - largest};
    exp_below_one(both);
    sum += both[0];
    sum += both[1];
    store_lanes(e + i, both[0]);
    store_lanes(e + i + W, both[1]);
    if (row.e) write_lanes<kStream>(row, i);
  }
  for_lanes(x + i, n - i, kLowest, [&](V v, std::int64_t first, std::int64_t count) {
    const V one = exp_below_one(v - largest);
    sum += one;
    for (std::int64_t k = 0; k < count; ++k) e[i + first + k] = one[k];
  });
  if (next) {
    for_lanes(next + i, n - i, kLowest,
              [&](V v, std::int64_t, std::int64_t) { a = a > v ? a : v; });
  }
  if (row.e) {
    for (; i < n; ++i) row.y[i] = row.e[i] * row.scale;
  }
  next_largest = max_lanes<T>(a > b ? a : b);
  return sum_lanes<T>(sum);
}

// One row; x [n] with stride xs, y [n] with stride ys. Infinities and NaN go through as they are.
template <class T>
void softmax_row(bool log, const T* x, std::int64_t xs, T* y, std::int64_t ys, std::int64_t n) {
  if (log) {
    const T lse = log_sum_exp(x, n, xs, T(1));
    if (xs == 1 && ys == 1) {
      for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] - lse;
    } else {
      for (std::int64_t i = 0; i < n; ++i) y[i * ys] = x[i * xs] - lse;
    }
    return;
  }
  const T largest = reduce_strided<MaxOf>(x, n, xs);
  for (std::int64_t i = 0; i < n; ++i) y[i * ys] = exp_of(x[i * xs] - largest);
  const T scale = T(1) / reduce_strided<SumOf>(static_cast<const T*>(y), n, ys);
  for (std::int64_t i = 0; i < n; ++i) y[i * ys] *= scale;
}

// Rows [begin, end) of contiguous values; at(row) gives {x, y}. `stream`: short rows whose y are
// whole lines, written past the cache.
template <class T, class At>
void softmax_rows(std::int64_t begin, std::int64_t end, std::int64_t n, bool stream, const At& at) {
  auto* lanes = softmax_lanes<false, T>;
  if constexpr (sizeof(T) == 4) {
    if (stream) lanes = softmax_lanes<true, T>;
  }
  const bool in_turn = is_short_row<T>(n);
  T* const buffers = in_turn ? static_cast<T*>(thread_scratch(2 * n * sizeof(T))) : nullptr;
  Unwritten<T> before;
  const auto write = [&] {
    if (!before.e) return;
    for (std::int64_t i = 0; i < n; ++i) before.y[i] = before.e[i] * before.scale;
    before = {};
  };
  T largest = largest_of(at(begin).first, n);
  for (std::int64_t row = begin; row < end; ++row) {
    const auto [x, y] = at(row);
    const T* const next = row + 1 < end ? at(row + 1).first : nullptr;
    if (largest - largest == T(0)) {
      T* const e = in_turn ? buffers + row % 2 * n : y;
      const T sum = lanes(x, largest, e, n, before, in_turn ? next : nullptr, largest);
      before = {e, T(1) / sum, y};
      if (in_turn && next) continue;
      write();
    } else {
      write();
      softmax_row(false, x, 1, y, 1, n);
    }
    if (next) largest = largest_of(next, n);
  }
  if (stream) end_stream();
}

// One row of the gradient; y, dy, dx [n] with strides s[0], s[1], s[2].
template <class T>
void softmax_grad_row(bool log, const T* y, const T* dy, T* dx, const std::int64_t (&s)[3],
                      std::int64_t n) {
  T total = 0;
  for_pieces(dy, n, s[1], [&](const T* from, std::int64_t count, std::int64_t first) {
    if (log) {
      total += reduce_row<SumOf>(from, count);
      return;
    }
    T product[kRowPiece];
    for (std::int64_t i = 0; i < count; ++i) product[i] = from[i] * y[(first + i) * s[0]];
    total += reduce_row<SumOf>(static_cast<const T*>(product), count);
  });
  const auto loop = [&](std::int64_t a, std::int64_t b, std::int64_t c) {
    if (log) {
      for (std::int64_t i = 0; i < n; ++i) dx[i * c] = dy[i * b] - exp_of(y[i * a]) * total;
    } else {
      for (std::int64_t i = 0; i < n; ++i) dx[i * c] = y[i * a] * (dy[i * b] - total);
    }
  };
  if (s[0] == 1 && s[1] == 1 && s[2] == 1) {
    loop(1, 1, 1);
  } else {
    loop(s[0], s[1], s[2]);
  }
}

// Whether results go past the cache: many, of short rows that are whole lines.
template <class T>
bool streams_rows(const Rows<2>& rows, const Operand& y, std::int64_t n) {
  bool lines = reinterpret_cast<std::uintptr_t>(y.as<T>()) % 64 == 0;
  for (int axis = 0; axis < rows.rank; ++axis)
    lines = lines && rows.strides[1][axis] % kLineOf<T> == 0;
  return lines && is_short_row<T>(n) && streams_results<T>(2 * rows.count * n);
}

}  // namespace

void softmax(const SoftmaxArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) {
    const Rows<2> rows = rows_of<2>({&args.x, &args.y});
    const std::int64_t n = row_size(args.x), xs = row_stride(args.x), ys = row_stride(args.y);
    const bool log = args.op == SoftmaxOp::log_softmax;
    const bool stream = streams_rows<T>(rows, args.y, n);
    const auto row_at = [&](std::int64_t row) {
      const auto at = rows.offsets(row);
      return std::pair<const T*, T*>(args.x.as<T>() + at[0], args.y.as<T>() + at[1]);
    };
    parallel_for(rows.count, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
      if (!log && xs == 1 && ys == 1) return softmax_rows<T>(begin, end, n, stream, row_at);
      for (std::int64_t row = begin; row < end; ++row) {
        const auto [x, y] = row_at(row);
        softmax_row(log, x, xs, y, ys, n);
      }
    });
  });
}

void softmax_grad(const SoftmaxGradArgs& args) {
  visit_float(args.y.dtype, [&]<class T>(Tag<T>) {
    const Rows<3> rows = rows_of<3>({&args.y, &args.dy, &args.dx});
    const std::int64_t n = row_size(args.y);
    const std::int64_t strides[3] = {row_stride(args.y), row_stride(args.dy), row_stride(args.dx)};
    parallel_for(rows.count, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = rows.offsets(row);
        softmax_grad_row(args.op == SoftmaxOp::log_softmax, args.y.as<T>() + at[0],
                         args.dy.as<T>() + at[1], args.dx.as<T>() + at[2], strides, n);
      }
    });
  });
}

void logsumexp(const LogSumExpArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) {
    const Rows<2> rows = rows_of<2>({&args.x, &args.y});
    const std::int64_t n = row_size(args.x);
    parallel_for(rows.count, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = rows.offsets(row);
        args.y.as<T>()[at[1]] = log_sum_exp<T>(args.x.as<T>() + at[0], n, row_stride(args.x), T(1));
      }
    });
  });
}

#include "tensor/backend/cpu/isa_end.h"
