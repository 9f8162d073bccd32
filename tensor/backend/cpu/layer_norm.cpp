// Layer and RMS normalisation by row. A row is read from memory once: its passes over mean,
// variance and result meet it in the first-level cache. The sums over rows (dgamma, dbeta) go
// through partial sums of fixed chunks of rows, added in order.
#include <bit>
#include <cmath>
#include <limits>
#include <memory>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/backend/norm_args.h"
#include "tensor/backend/rows.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

#include "tensor/backend/cpu/stream.h"

namespace {

// A row of storage type S as values of T: itself, or converted into `buffer`.
template <class T, class S>
const T* values_of(const S* x, std::int64_t n, T* buffer) {
  if constexpr (std::is_same_v<S, T>) {
    (void)n, (void)buffer;
    return x;
  } else {
    for (std::int64_t i = 0; i < n; ++i) buffer[i] = static_cast<T>(x[i]);
    return buffer;
  }
}

template <class S, class T>
void store(S* to, const T* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<S>(from[i]);
}

// sum f(i) for i in [0, n), in pieces whose terms become a row of values first.
template <class T, class F>
T sum_of(std::int64_t n, F f) {
  T total = 0, term[kRowPiece];
  for (std::int64_t first = 0; first < n; first += kRowPiece) {
    const std::int64_t count = n - first < kRowPiece ? n - first : kRowPiece;
    for (std::int64_t i = 0; i < count; ++i) term[i] = f(first + i);
    total += reduce_row<SumOf>(static_cast<const T*>(term), count);
  }
  return total;
}

// sum (x - mean)^2 of a contiguous row. Meanwhile a line of `next_x` and of `next_y` is asked for
// with each line of x, where `ask` says so.
template <class T, class S>
T squares_of(const T* x, std::int64_t n, T mean, bool ask, const S* next_x, const S* next_y) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  T total = 0;
  const std::int64_t step = ask ? 1 : 0;
  for (std::int64_t first = 0; first < n; first += kRowPiece) {
    const std::int64_t last = n - first < kRowPiece ? n : first + kRowPiece;
    V a{}, b{};
    std::int64_t i = first;
    for (; i + 2 * W <= last; i += 2 * W) {
      __builtin_prefetch(next_x + i * step);
      __builtin_prefetch(next_y + i * step, 1);
      const V u = load_lanes(x + i) - mean, v = load_lanes(x + i + W) - mean;
      a += u * u;
      b += v * v;
    }
    total += sum_lanes<T>(a + b);
    for (; i < last; ++i) total += (x[i] - mean) * (x[i] - mean);
  }
  return total;
}

// write(f) with f(i) = (x - mean) rstd gamma + beta; gamma and beta may be null.
template <class T, class Write>
ATHANOR_INLINE void normalise(const T* __restrict x, T mean, T rstd, const T* __restrict gamma,
                              const T* __restrict beta, const Write& write) {
  if (gamma && beta) {
    write([=](std::int64_t i) { return (x[i] - mean) * rstd * gamma[i] + beta[i]; });
  } else if (gamma) {
    write([=](std::int64_t i) { return (x[i] - mean) * rstd * gamma[i]; });
  } else if (beta) {
    write([=](std::int64_t i) { return (x[i] - mean) * rstd + beta[i]; });
  } else {
    write([=](std::int64_t i) { return (x[i] - mean) * rstd; });
  }
}

// The same to y, past the cache where `stream`.
template <class T>
void write_normalised(const T* x, std::int64_t n, T mean, T rstd, const T* gamma, const T* beta,
                      bool stream, T* y) {
  if constexpr (sizeof(T) == 4) {
    if (stream) {
      return normalise(x, mean, rstd, gamma, beta, [&](const auto& f) { stream_row(n, y, f); });
    }
  }
  normalise(x, mean, rstd, gamma, beta, [n, to = y](const auto& f) {
    ATHANOR_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) to[i] = f(i);
  });
}

template <class S>
void forward_typed(const RowNormArgs& a) {
  using T = compute_t<S>;
  const std::int64_t n = row_size(a.x), rows = a.mean.numel();
  const bool centred = a.op == RowNormOp::layer_norm;
  const T epsilon = static_cast<T>(a.epsilon), count = static_cast<T>(n);
  const bool stream = streams_results<S>((a.residual.data ? 4 : 2) * rows * n);
  parallel_for(rows, row_grain(n), [&](std::int64_t begin, std::int64_t end) {
    T* const buffers = static_cast<T*>(thread_scratch(5 * n * sizeof(T)));
    T *sum = buffers + n, *result = buffers + 2 * n;
    const T* gamma = a.gamma.data ? values_of(a.gamma.as<const S>(), n, buffers + 3 * n) : nullptr;
    const T* beta = a.beta.data ? values_of(a.beta.as<const S>(), n, buffers + 4 * n) : nullptr;
    for (std::int64_t row = begin; row < end; ++row) {
      const T* x = values_of(a.x.as<const S>() + row * n, n, buffers);
      if (a.residual.data) {
        const S* other = a.residual.as<const S>() + row * n;
        S* stored = a.sum.as<S>() + row * n;
        // What is normalised is what later operations see: the sum rounded to S.
        for (std::int64_t i = 0; i < n; ++i)
          stored[i] = static_cast<S>(x[i] + static_cast<T>(other[i]));
        x = values_of(static_cast<const S*>(stored), n, sum);
      }
      const T mean = centred ? reduce_row<SumOf>(x, n) / count : T(0);
      const bool ask = row + 1 < end && is_short_row<S>(n);
      // Of what is streamed no line is needed before.
      const T squares =
          squares_of(x, n, mean, ask, a.x.as<const S>() + (row + ask) * n,
                     stream ? a.x.as<const S>() + row * n : a.y.as<const S>() + (row + ask) * n);
      const T rstd = T(1) / std::sqrt(squares / count + epsilon);
      if constexpr (std::is_same_v<S, T>) {
        write_normalised(x, n, mean, rstd, gamma, beta, stream, a.y.as<S>() + row * n);
      } else {
        write_normalised(x, n, mean, rstd, gamma, beta, false, result);
        store(a.y.as<S>() + row * n, result, n);
      }
      a.mean.as<T>()[row] = mean;
      a.rstd.as<T>()[row] = rstd;
    }
    if (stream) end_stream();
  });
}

// How many elements ahead a backward pass asks for lines.
template <class S>
constexpr std::int64_t kAhead = 4096 / sizeof(S);

// Sums over rows have this many parts at most.
constexpr std::int64_t kRowParts = 32;

template <class T>
struct Row {
  std::int64_t n;
  T mean, rstd;
  const T *x, *dy, *gamma;  // gamma may be null
};

// dx of one row; `dsum` may be null.
template <class T>
void input_gradient(const Row<T>& row, bool centred, const T* dsum, T* dx) {
  const std::int64_t n = row.n;
  const T *x = row.x, *dy = row.dy, *gamma = row.gamma;
  const T mean = row.mean, rstd = row.rstd, count = static_cast<T>(n);
  T mean_g = 0, mean_gx = 0;
  if (gamma) {
    if (centred) mean_g = sum_of<T>(n, [&](std::int64_t i) { return dy[i] * gamma[i]; }) / count;
    mean_gx =
        sum_of<T>(n, [&](std::int64_t i) { return dy[i] * gamma[i] * ((x[i] - mean) * rstd); }) /
        count;
    for (std::int64_t i = 0; i < n; ++i) {
      dx[i] = rstd * (dy[i] * gamma[i] - mean_g - (x[i] - mean) * rstd * mean_gx);
    }
  } else {
    if (centred) mean_g = reduce_row<SumOf>(dy, n) / count;
    mean_gx = sum_of<T>(n, [&](std::int64_t i) { return dy[i] * ((x[i] - mean) * rstd); }) / count;
    for (std::int64_t i = 0; i < n; ++i) {
      dx[i] = rstd * (dy[i] - mean_g - (x[i] - mean) * rstd * mean_gx);
    }
  }
  if (!dsum) return;
  for (std::int64_t i = 0; i < n; ++i) dx[i] += dsum[i];
}

// dgamma += dy xhat, dbeta += dy of one row; either may be null.
template <class T>
void add_parameter_gradients(const Row<T>& row, T* __restrict dgamma, T* __restrict dbeta) {
  const T* __restrict x = row.x;
  const T* __restrict dy = row.dy;
  const T mean = row.mean, rstd = row.rstd;
  if (dgamma) {
    for (std::int64_t i = 0; i < row.n; ++i) dgamma[i] += dy[i] * ((x[i] - mean) * rstd);
  }
  if (dbeta) {
    for (std::int64_t i = 0; i < row.n; ++i) dbeta[i] += dy[i];
  }
}

template <class S>
void backward_typed(const RowNormBackwardArgs& a) {
  using T = compute_t<S>;
  const std::int64_t n = row_size(a.x), rows = a.mean.numel();
  const std::int64_t share = (rows + kRowParts - 1) / kRowParts;
  const std::int64_t size = share > row_grain(n) ? share : row_grain(n);
  const std::int64_t parts = (rows + size - 1) / size;
  // For each part: its share of dgamma, of dbeta.
  const std::unique_ptr<T[]> sums(new T[static_cast<std::size_t>(parts * 2 * n)]());
  parallel_chunks(parts, [&](std::int64_t part) {
    T* const buffers = static_cast<T*>(thread_scratch(5 * n * sizeof(T)));
    T* dgamma = a.dgamma.data ? &sums[part * 2 * n] : nullptr;
    T* dbeta = a.dbeta.data ? &sums[part * 2 * n] + n : nullptr;
    const T* gamma = a.gamma.data ? values_of(a.gamma.as<const S>(), n, buffers + 3 * n) : nullptr;
    const std::int64_t end = (part + 1) * size < rows ? (part + 1) * size : rows;
    for (std::int64_t r = part * size; r < end; ++r) {
      const Row<T> row{n,
                       a.mean.as<T>()[r],
                       a.rstd.as<T>()[r],
                       values_of(a.x.as<const S>() + r * n, n, buffers),
                       values_of(a.dy.as<const S>() + r * n, n, buffers + n),
                       gamma};
      const T* dsum =
          a.dsum.data ? values_of(a.dsum.as<const S>() + r * n, n, buffers + 2 * n) : nullptr;
      // A row or more ahead in memory, which answers meanwhile.
      for (std::int64_t i = r * n, last = i + n; i < last; i += kLineOf<S>) {
        __builtin_prefetch(a.x.as<const S>() + i + kAhead<S>);
        __builtin_prefetch(a.dy.as<const S>() + i + kAhead<S>);
        __builtin_prefetch(a.dx.as<S>() + i + kAhead<S>, 1);
      }
      add_parameter_gradients(row, dgamma, dbeta);
      const bool centred = a.op == RowNormOp::layer_norm;
      S* dx = a.dx.as<S>() + r * n;
      if constexpr (std::is_same_v<S, T>) {
        input_gradient(row, centred, dsum, dx);
      } else {
        input_gradient(row, centred, dsum, buffers + 4 * n);
        store(dx, buffers + 4 * n, n);
      }
    }
  });
  for (std::int64_t i = 0; i < n; ++i) {
    double dgamma = 0, dbeta = 0;
    for (std::int64_t part = 0; part < parts; ++part) {
      dgamma += sums[part * 2 * n + i];
      dbeta += sums[part * 2 * n + n + i];
    }
    if (a.dgamma.data) a.dgamma.as<S>()[i] = static_cast<S>(static_cast<T>(dgamma));
    if (a.dbeta.data) a.dbeta.as<S>()[i] = static_cast<S>(static_cast<T>(dbeta));
  }
}

}  // namespace

void row_norm(const RowNormArgs& a) {
  visit_real(a.x.dtype, [&]<class S>(Tag<S>) { forward_typed<S>(a); });
}

void row_norm_backward(const RowNormBackwardArgs& a) {
  visit_real(a.x.dtype, [&]<class S>(Tag<S>) { backward_typed<S>(a); });
}

#include "tensor/backend/cpu/isa_end.h"
