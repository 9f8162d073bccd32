// Batch normalisation over rows of C values (N, H, W, C order): rows in chunks that stay in the
// first-level cache, and the gradients of a chunk.
//
// Included after isa_begin.h and row.h, into an unnamed namespace.
#pragma once

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
