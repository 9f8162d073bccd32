// Batch normalisation over rows of C values (N, H, W, C order). Rows are cut into chunks that stay
// in the first-level cache, so that a chunk's mean and its squared deviations cost one pass over
// memory; chunks are combined in double, in order, and so give the same bits for any thread count.
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <type_traits>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

namespace {

constexpr std::int64_t kChunkElements = 4096;

struct ChannelRows {
  std::int64_t C, rows, chunk_rows, chunks;

  explicit ChannelRows(const Operand& x) : C(x.sizes[1]), rows(x.numel() / x.sizes[1]) {
    chunk_rows = kChunkElements / C > 0 ? kChunkElements / C : 1;
    chunks = (rows + chunk_rows - 1) / chunk_rows;
  }

  // Calls f(chunk, first row, number of rows) for each chunk, on several threads.
  template <class F>
  void for_each_chunk(F&& f) const {
    parallel_for(chunks, 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        const std::int64_t first = k * chunk_rows;
        f(k, first, first + chunk_rows < rows ? chunk_rows : rows - first);
      }
    });
  }
};

// to[c] += sum of the rows of x
template <class T>
void add_rows(const T* __restrict x, std::int64_t rows, std::int64_t C, T* __restrict to) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * C) {
    for (std::int64_t c = 0; c < C; ++c) {
      to[c] += (x[c] + x[C + c]) + (x[2 * C + c] + x[3 * C + c]);
    }
  }
  for (; r < rows; ++r, x += C) {
    for (std::int64_t c = 0; c < C; ++c) to[c] += x[c];
  }
}

// to[c] += sum over the rows of (x - mean)^2
template <class T>
void add_squares(const T* __restrict x, std::int64_t rows, std::int64_t C, const T* __restrict mean,
                 T* __restrict to) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * C) {
    for (std::int64_t c = 0; c < C; ++c) {
      const T m = mean[c], a = x[c] - m, b = x[C + c] - m, d = x[2 * C + c] - m,
              e = x[3 * C + c] - m;
      to[c] += (a * a + b * b) + (d * d + e * e);
    }
  }
  for (; r < rows; ++r, x += C) {
    for (std::int64_t c = 0; c < C; ++c) to[c] += (x[c] - mean[c]) * (x[c] - mean[c]);
  }
}

template <class T>
void statistics_typed(const BatchNormStatisticsArgs& a) {
  const ChannelRows p(a.x);
  const std::int64_t C = p.C;
  // For each chunk: C means, C sums of squared deviations from them.
  const std::unique_ptr<T[]> partial(new T[static_cast<std::size_t>(p.chunks * 2 * C)]);
  p.for_each_chunk([&](std::int64_t k, std::int64_t first, std::int64_t count) {
    const T* x = a.x.as<T>() + first * C;
    T *mean = &partial[k * 2 * C], *squares = mean + C;
    for (std::int64_t c = 0; c < 2 * C; ++c) mean[c] = T(0);
    add_rows(x, count, C, mean);
    for (std::int64_t c = 0; c < C; ++c) mean[c] /= static_cast<T>(count);
    add_squares(x, count, C, mean, squares);
  });
  const auto count_of = [&](std::int64_t k) {
    return static_cast<double>(k + 1 < p.chunks ? p.chunk_rows : p.rows - k * p.chunk_rows);
  };
  for (std::int64_t c = 0; c < C; ++c) {
    double mean = 0, squares = 0;
    for (std::int64_t k = 0; k < p.chunks; ++k) mean += count_of(k) * partial[k * 2 * C + c];
    mean /= static_cast<double>(p.rows);
    for (std::int64_t k = 0; k < p.chunks; ++k) {
      const double shift = partial[k * 2 * C + c] - mean;
      squares += partial[k * 2 * C + C + c] + count_of(k) * shift * shift;
    }
    a.mean.as<T>()[c] = static_cast<T>(mean);
    a.variance.as<T>()[c] = static_cast<T>(squares / static_cast<double>(p.rows));
  }
}

// rows of y from rows of x; the five others have C values.
template <class T, bool kRelu>
void normalise_rows(const T* __restrict x, std::int64_t rows, std::int64_t C,
                    const T* __restrict mean, const T* __restrict rstd, const T* __restrict gamma,
                    const T* __restrict beta, T* __restrict y) {
  for (std::int64_t r = 0; r < rows; ++r, x += C, y += C) {
    for (std::int64_t c = 0; c < C; ++c) {
      const T value = (x[c] - mean[c]) * rstd[c] * gamma[c] + beta[c];
      y[c] = kRelu && value < T(0) ? T(0) : value;
    }
  }
}

// dgamma += sum of dy xhat, dbeta += sum of dy over the rows.
template <class T, bool kRelu>
void add_gradients(const T* __restrict x, const T* __restrict dy, std::int64_t rows, std::int64_t C,
                   const T* __restrict mean, const T* __restrict rstd, const T* __restrict gamma,
                   const T* __restrict beta, T* __restrict dgamma, T* __restrict dbeta) {
  for (std::int64_t r = 0; r < rows; ++r, x += C, dy += C) {
    ATHANOR_INDEPENDENT
    for (std::int64_t c = 0; c < C; ++c) {
      const T xhat = (x[c] - mean[c]) * rstd[c];
      const T g = !kRelu || xhat * gamma[c] + beta[c] > T(0) ? dy[c] : T(0);
      dgamma[c] += g * xhat;
      dbeta[c] += g;
    }
  }
}

// dx = scale (g - dbeta / M - xhat dgamma / M); `mean_gamma` and `mean_beta` hold the quotients.
template <class T, bool kRelu>
void input_gradients(const T* __restrict x, const T* __restrict dy, std::int64_t rows,
                     std::int64_t C, const T* __restrict mean, const T* __restrict rstd,
                     const T* __restrict gamma, const T* __restrict beta,
                     const T* __restrict mean_gamma, const T* __restrict mean_beta,
                     T* __restrict dx) {
  for (std::int64_t r = 0; r < rows; ++r, x += C, dy += C, dx += C) {
    ATHANOR_INDEPENDENT
    for (std::int64_t c = 0; c < C; ++c) {
      const T xhat = (x[c] - mean[c]) * rstd[c];
      const T g = !kRelu || xhat * gamma[c] + beta[c] > T(0) ? dy[c] : T(0);
      dx[c] = gamma[c] * rstd[c] * (g - mean_beta[c] - xhat * mean_gamma[c]);
    }
  }
}

// `partial` has for each chunk C shares of dgamma and C of dbeta; M elements a channel.
template <class T>
void combine_gradients(const T* partial, std::int64_t chunks, std::int64_t C, std::int64_t M,
                       T* total_gamma, T* total_beta, T* mean_gamma, T* mean_beta) {
  for (std::int64_t c = 0; c < C; ++c) {
    double dgamma = 0, dbeta = 0;
    for (std::int64_t k = 0; k < chunks; ++k) {
      dgamma += partial[k * 2 * C + c];
      dbeta += partial[k * 2 * C + C + c];
    }
    total_gamma[c] = static_cast<T>(dgamma);
    total_beta[c] = static_cast<T>(dbeta);
    mean_gamma[c] = static_cast<T>(dgamma / static_cast<double>(M));
    mean_beta[c] = static_cast<T>(dbeta / static_cast<double>(M));
  }
}

template <class T, bool kRelu>
void backward_typed(const BatchNormBackwardArgs& a) {
  const ChannelRows p(a.x);
  const std::int64_t C = p.C;
  const T *mean = a.mean.as<T>(), *rstd = a.rstd.as<T>(), *gamma = a.gamma.as<T>(),
          *beta = a.beta.as<T>();
  // For each chunk: its share of dgamma, of dbeta. At the end: both divided by M.
  const std::unique_ptr<T[]> partial(new T[static_cast<std::size_t>((p.chunks + 1) * 2 * C)]);
  p.for_each_chunk([&](std::int64_t k, std::int64_t first, std::int64_t count) {
    T* sums = &partial[k * 2 * C];
    for (std::int64_t c = 0; c < 2 * C; ++c) sums[c] = T(0);
    add_gradients<T, kRelu>(a.x.as<T>() + first * C, a.dy.as<T>() + first * C, count, C, mean, rstd,
                            gamma, beta, sums, sums + C);
  });
  T *mean_gamma = &partial[p.chunks * 2 * C], *mean_beta = mean_gamma + C;
  combine_gradients<T>(partial.get(), p.chunks, C, p.rows, a.dgamma.as<T>(), a.dbeta.as<T>(),
                       mean_gamma, mean_beta);
  p.for_each_chunk([&](std::int64_t, std::int64_t first, std::int64_t count) {
    input_gradients<T, kRelu>(a.x.as<T>() + first * C, a.dy.as<T>() + first * C, count, C, mean,
                              rstd, gamma, beta, mean_gamma, mean_beta, a.dx.as<T>() + first * C);
  });
}

#include "tensor/backend/cpu/batch_norm_pool.h"

}  // namespace

void batch_norm_statistics(const BatchNormStatisticsArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) { statistics_typed<T>(a); });
}

void batch_norm(const BatchNormArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    if (a.index.data) return a.relu ? batch_norm_pool<T, true>(a) : batch_norm_pool<T, false>(a);
    const ChannelRows p(a.x);
    p.for_each_chunk([&](std::int64_t, std::int64_t first, std::int64_t count) {
      const auto run = a.relu ? normalise_rows<T, true> : normalise_rows<T, false>;
      run(a.x.as<T>() + first * p.C, count, p.C, a.mean.as<T>(), a.rstd.as<T>(), a.gamma.as<T>(),
          a.beta.as<T>(), a.y.as<T>() + first * p.C);
    });
  });
}

void batch_norm_backward(const BatchNormBackwardArgs& a) {
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    if (a.index.data) {
      a.relu ? batch_norm_pool_backward<T, true>(a) : batch_norm_pool_backward<T, false>(a);
    } else {
      a.relu ? backward_typed<T, true>(a) : backward_typed<T, false>(a);
    }
  });
}

#include "tensor/backend/cpu/isa_end.h"
