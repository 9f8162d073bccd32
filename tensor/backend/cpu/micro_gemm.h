// Matrix products of small tiles in registers: c = a b or c += a b, one thread, no packing.
//
// Included after isa_begin.h and row.h. A block of kMicroRows x kMicroColumns results stays in
// registers while k runs; b comes in strips of kMicroColumns columns. The order of additions is
// that of k for every block, so a result does not depend on where a tile ends.
#pragma once

#include "tensor/backend/cpu/isa_integers.h"
#include "tensor/backend/cpu/turn.h"

inline constexpr std::int64_t kMicroRows = 6;
template <class T>
inline constexpr std::int64_t kMicroColumns = 2 * VectorOf<T>::lanes;

// Rows of a block of results that is N vectors wide: twelve sums keep both multiply-add units busy
// and fit into sixteen registers.
template <int N>
inline constexpr std::int64_t kSumRows = 2 * kMicroRows / N;
// Whether one vector holds the `width` columns of a strip, whose second one is then left out.
template <class T>
constexpr bool is_narrow(std::int64_t width) {
  return width <= VectorOf<T>::lanes;
}

// Rows of a block, and of a packed panel, where many k are summed and a's columns lie in memory:
// whole vectors are packed then (AVX-512, whose registers hold sixteen sums and more).
inline constexpr std::int64_t kTallRows = kVectorBytes == 64 ? 8 : kMicroRows;

// How many of `left` rows a block takes that has kMost (6, 8 or 12), or at most 6.
template <int kMost>
constexpr std::int64_t block_rows(std::int64_t left) {
  return left >= kMost ? kMost : smaller(left, kMicroRows);
}

// Calls run with `count`, which block_rows<kMost>() gave, as a constant.
template <int kMost, class Run>
ATHANOR_INLINE void with_rows(std::int64_t count, const Run& run) {
  switch (count) {
    case 12:
      if constexpr (kMost == 12) run(std::integral_constant<int, 12>{});
      return;
    case 8:
      if constexpr (kMost == 8) run(std::integral_constant<int, 8>{});
      return;
    case 6:
      return run(std::integral_constant<int, 6>{});
    case 5:
      return run(std::integral_constant<int, 5>{});
    case 4:
      return run(std::integral_constant<int, 4>{});
    case 3:
      return run(std::integral_constant<int, 3>{});
    case 2:
      return run(std::integral_constant<int, 2>{});
    default:
      return run(std::integral_constant<int, 1>{});
  }
}

// b [K, N] as strips: strip s (columns s * kMicroColumns ...) starts at data + s * strip and has
// its rows `row` elements apart. Row-major b: {b, kMicroColumns, ldb}; packed by pack_transposed:
// {b, K * kMicroColumns, kMicroColumns}.
template <class T>
struct Strips {
  const T* data;
  std::int64_t strip, row;
};

// What a block does beside its product: nothing.
struct NothingElse {
  void operator()() const {}
};
// What is added to a block's columns when its sums are complete: nothing.
struct NoBias {
  NoBias operator+(std::int64_t) const { return {}; }
};
// Depths between two calls of what a block does beside.
inline constexpr std::int64_t kMicroPiece = 16;

// One block: R rows of c, N vectors wide. a's element (r, k) is a[r * lda + k]; if kTransposed,
// rows lie P side by side: a[k * lda + r % P + r / P * panel]. `bias` has a value for each column,
// added last, or is NoBias. `also()` is called every kMicroPiece of K.
template <int R, int N, bool kTransposed, bool kAdd, int P = kMicroRows, class T,
          class Bias = NoBias, class Also = NothingElse>
inline void micro_block(std::int64_t K, const T* a, std::int64_t lda, const T* b, std::int64_t ldb,
                        T* c, std::int64_t ldc, std::int64_t panel = 0, const Bias& bias = {},
                        const Also& also = {}) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  V sums[R][N];
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < N; ++v) sums[r][v] = V{};
  }
  const auto depths = [&](std::int64_t count) __attribute__((always_inline)) {
    for (std::int64_t k = 0; k < count; ++k) {
      V right[N];
      ATHANOR_UNROLL
      for (int v = 0; v < N; ++v) right[v] = load_lanes(b + v * W);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        const T value = kTransposed ? a[r % P + r / P * panel] : a[r * lda];
        ATHANOR_UNROLL
        for (int v = 0; v < N; ++v) sums[r][v] += value * right[v];
      }
      a += kTransposed ? lda : 1;
      b += ldb;
    }
  };
  if constexpr (std::is_same_v<Also, NothingElse>) {
    depths(K);
  } else {
    for (std::int64_t k = 0; k < K; k += kMicroPiece) {
      also();
      depths(smaller(kMicroPiece, K - k));
    }
  }
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < N; ++v) {
      if constexpr (kAdd) sums[r][v] = load_lanes(c + r * ldc + v * W) + sums[r][v];
    }
  }
  if constexpr (!std::is_same_v<Bias, NoBias>) {
    ATHANOR_UNROLL
    for (int v = 0; v < N; ++v) {
      const V plus = load_lanes(bias + v * W);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) sums[r][v] += plus;
    }
  }
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int v = 0; v < N; ++v) store_lanes(c + r * ldc + v * W, sums[r][v]);
  }
}

// A product of which nothing is left out.
struct WholeProduct {
  std::int64_t first(std::int64_t) const { return 0; }
  std::int64_t begin(std::int64_t) const { return 0; }
  std::int64_t end(std::int64_t, std::int64_t K) const { return K; }
};

// c [M, N] = (or +=) a [M, K] b [K, N]; N a multiple of kMicroColumns. `part` says what is left out
// (attention_tile.h): in columns from n on the rows of c before first(n), and for the rows [m, end)
// of a all but [begin(m), end(end, K)) of k, where nothing may be left when c is not added to.
template <bool kTransposed, bool kAdd, class Part, class T>
inline void tile_gemm(std::int64_t M, std::int64_t N, std::int64_t K, const T* a, std::int64_t lda,
                      const Strips<T>& b, T* c, std::int64_t ldc, const Part& part) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  for (std::int64_t n = 0; n < N; n += kWidth) {
    const T* strip = b.data + n / kWidth * b.strip;
    std::int64_t count = 0;
    for (std::int64_t m = smaller(part.first(n), M) / kMicroRows * kMicroRows; m < M; m += count) {
      count = block_rows<kMicroRows>(M - m);
      with_rows<kMicroRows>(count, [&]<int R>(std::integral_constant<int, R>) {
        const std::int64_t k = part.begin(m), end = part.end(m + R, K);
        if (kAdd && k >= end) return;
        micro_block<R, 2, kTransposed, kAdd>(end - k, a + (kTransposed ? m + k * lda : m * lda + k),
                                             lda, strip + k * b.row, b.row, c + m * ldc + n, ldc);
      });
    }
  }
}

// kMicroColumns rows of K values, `row` apart, as [K, kMicroColumns]: as many whole eights of the K
// as the instruction set can turn in registers. Returns how many values of a row that is.
template <class T>
inline std::int64_t turn_strip(const T* from, std::int64_t row, std::int64_t K, T* to) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  std::int64_t done = 0;
  if constexpr (kTurns<T>) {
    for (; done + 8 <= K; done += 8) {
      for (std::int64_t i = 0; i < kWidth; i += 8) {
        turn_block(from + i * row + done, row, to + done * kWidth + i, kWidth);
      }
    }
  }
  return done;
}

// Strips of the transpose of x [N, K] (element (n, k) at x[n * row + k * column], any storage type
// S): strip s holds rows n in [s, s + 1) * kMicroColumns as [K, kMicroColumns], zero beyond N.
template <class T, class S>
inline void pack_transposed(const S* x, std::int64_t N, std::int64_t K, std::int64_t row,
                            std::int64_t column, T* to) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  for (std::int64_t n = 0; n < N; n += kWidth) {
    const std::int64_t count = N - n < kWidth ? N - n : kWidth;
    std::int64_t done = 0;  // of k
    if constexpr (std::is_same_v<S, T>) {
      if (column == 1 && count == kWidth) done = turn_strip(x + n * row, row, K, to);
    }
    // Rows outermost: reads follow memory, writes stay in the first-level cache.
    for (std::int64_t i = 0; i < count; ++i) {
      const S* from = x + (n + i) * row;
      for (std::int64_t k = done; k < K; ++k) {
        to[k * kWidth + i] = static_cast<T>(from[k * column]);
      }
    }
    for (std::int64_t i = count; i < kWidth; ++i) {
      for (std::int64_t k = 0; k < K; ++k) to[k * kWidth + i] = T(0);
    }
    to += K * kWidth;
  }
}

// x [N, K] times `scale` as rows of `width` >= K values, zero beyond K.
template <class T, class S>
inline void pack_rows(const S* x, std::int64_t N, std::int64_t K, std::int64_t row,
                      std::int64_t column, T scale, T* to, std::int64_t width) {
  for (std::int64_t n = 0; n < N; ++n, to += width) {
    const S* from = x + n * row;
    if (column == 1) {
      for (std::int64_t k = 0; k < K; ++k) to[k] = scale * static_cast<T>(from[k]);
    } else {
      for (std::int64_t k = 0; k < K; ++k) to[k] = scale * static_cast<T>(from[k * column]);
    }
    for (std::int64_t k = K; k < width; ++k) to[k] = T(0);
  }
}
