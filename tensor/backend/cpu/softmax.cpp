#include <bit>
#include <cmath>
#include <limits>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/rows.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

namespace {

// One contiguous row whose largest value is finite; a NaN makes the whole row NaN. Meanwhile the
// rows that follow in memory are asked for.
template <class T>
__attribute__((noinline)) void softmax_lanes(  // inlined, it runs out of registers
    const T* x, T largest, T* y, std::int64_t n) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  V sum{};
  const std::int64_t ahead = is_short_row<T>(n) ? n : 0;
  std::int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    for (std::int64_t line = 0; line < 2 * W; line += 64 / sizeof(T)) {
      __builtin_prefetch(x + i + line + ahead);
      __builtin_prefetch(y + i + line + ahead, 1);
    }
    V e[2] = {load_lanes(x + i) - largest, load_lanes(x + i + W) - largest};
    exp_below_one(e);
    sum += e[0];
    sum += e[1];
    store_lanes(y + i, e[0]);
    store_lanes(y + i + W, e[1]);
  }
  for_lanes(x + i, n - i, -std::numeric_limits<T>::infinity(),
            [&](V v, std::int64_t first, std::int64_t count) {
              const V e = exp_below_one(v - largest);
              sum += e;
              for (std::int64_t k = 0; k < count; ++k) y[i + first + k] = e[k];
            });
  const T scale = T(1) / sum_lanes<T>(sum);
  for (i = 0; i < n; ++i) y[i] *= scale;
}

// One row; x [n] with stride xs, y [n] with stride ys.
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
  if (xs == 1 && ys == 1) {
    const T top = largest_of(x, n);
    if (top - top == T(0)) return softmax_lanes(x, top, y, n);
  }
  const T largest = reduce_strided<MaxOf>(x, n, xs);
  for (std::int64_t i = 0; i < n; ++i) y[i * ys] = exp_of(x[i * xs] - largest);
  const T scale = T(1) / reduce_strided<SumOf>(static_cast<const T*>(y), n, ys);
  for (std::int64_t i = 0; i < n; ++i) y[i * ys] *= scale;
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

}  // namespace

void softmax(const SoftmaxArgs& args) {
  visit_float(args.x.dtype, [&]<class T>(Tag<T>) {
    const Rows<2> rows = rows_of<2>({&args.x, &args.y});
    const std::int64_t n = row_size(args.x);
    parallel_for(rows.count, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const auto at = rows.offsets(row);
        softmax_row(args.op == SoftmaxOp::log_softmax, args.x.as<T>() + at[0], row_stride(args.x),
                    args.y.as<T>() + at[1], row_stride(args.y), n);
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
