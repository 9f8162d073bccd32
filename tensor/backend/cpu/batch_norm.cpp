// Batch normalisation over rows of C values (N, H, W, C order). Rows are cut into chunks that stay
// in the first-level cache, so that a chunk's mean and its squared deviations cost one pass over
// memory; chunks are combined in double, in order, and so give the same bits for any thread count.
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/row.h"

namespace {

#include "tensor/backend/cpu/batch_norm_rows.h"

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

#include "tensor/backend/cpu/batch_norm_pool.h"

#include "tensor/backend/cpu/batch_norm_backward.h"

template <class T, bool kRelu>
void backward_typed(const BatchNormBackwardArgs& a) {
  const NormGradient<T, kRelu> gradient(a);
  gradient.for_each_chunk([&](std::int64_t first, std::int64_t count) {
    gradient.write(first, count, a.dx.as<T>() + first * gradient.row_size());
  });
}

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
    a.relu ? backward_typed<T, true>(a) : backward_typed<T, false>(a);
  });
}

#include "tensor/backend/cpu/isa_end.h"
