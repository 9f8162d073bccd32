// Packing for the own matrix product. Included after isa_begin.h, row.h and micro_gemm.h.
//
// Both sides are read once along their memory: rows of 8 are turned in registers, and several
// strips are filled side by side, so that a page is left only once.
#pragma once

// to[i] = from[i] for i < n, converted.
template <class From, class To>
ATHANOR_INLINE void convert_row(const From* __restrict from, std::int64_t n, To* __restrict to) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<To>(from[i]);
}

// `count` columns of b (at most kMicroColumns) for `depth` of k as a part of a strip: for each k,
// kMicroColumns values, zero beyond `count`. Element (k, n) is from[k * bk + n * bn].
template <class T, class S>
void pack_columns(const S* from, std::int64_t bk, std::int64_t bn, std::int64_t count,
                  std::int64_t depth, T* to) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  std::int64_t done = 0;  // of k
  if constexpr (std::is_same_v<S, T>) {
    if (bk == 1 && count == kWidth) done = turn_strip(from, bn, depth, to);
  }
  // A piece at a time, so that the lines it writes stay in the first-level cache.
  constexpr std::int64_t kPiece = 128;
  for (std::int64_t first = done; first < depth; first += kPiece) {
    const std::int64_t last = smaller(first + kPiece, depth);
    for (std::int64_t i = 0; i < kWidth; ++i) {
      const S* column = from + i * bn;
      for (std::int64_t k = first; k < last; ++k) {
        to[k * kWidth + i] = i < count ? static_cast<T>(column[k * bk]) : T(0);
      }
    }
  }
}

// `count` columns of b from n on (at most kMicroColumns) as one strip.
template <class S, class T>
void pack_strip(const Gemm<S>& g, std::int64_t n, std::int64_t count, T* to) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const S* const from = g.b + n * g.bn;
  if (std::is_same_v<S, T> || g.bk != 1) return pack_columns(from, g.bk, g.bn, count, g.K, to);
  // Converted along memory, then turned.
  constexpr std::int64_t kPiece = 128;
  alignas(64) T wide[kWidth * kPiece];
  for (std::int64_t k = 0; k < g.K; k += kPiece) {
    const std::int64_t depth = smaller(kPiece, g.K - k);
    for (std::int64_t i = 0; i < count; ++i) {
      convert_row(from + i * g.bn + k, depth, wide + i * kPiece);
    }
    pack_columns(static_cast<const T*>(wide), 1, kPiece, count, depth, to + k * kWidth);
  }
}

// The strips [begin, end) of b's columns from `first` on, each K * kMicroColumns values.
template <class S, class T>
void pack_strips(const Gemm<S>& g, std::int64_t first, std::int64_t begin, std::int64_t end,
                 T* packed) {
  constexpr std::int64_t kWidth = kMicroColumns<T>, kAtOnce = 8;
  const std::int64_t size = g.K * kWidth;
  while (begin < end) {
    const std::int64_t n = first + begin * kWidth;
    const std::int64_t whole = smaller(smaller(end - begin, kAtOnce), (g.N - n) / kWidth);
    if (g.bn != 1 || whole == 0) {
      pack_strip(g, n, smaller(kWidth, g.N - n), packed + begin++ * size);
      continue;
    }
    T* to = packed + begin * size;
    for (std::int64_t k = 0; k < g.K; ++k, to += kWidth) {
      const S* row = g.b + k * g.bk + n;
      for (std::int64_t s = 0; s < whole; ++s, row += kWidth) {
        for (std::int64_t i = 0; i < kWidth; i += kLineOf<S>) {
          __builtin_prefetch(row + 10 * g.bk + i);
        }
        if constexpr (std::is_same_v<S, T>) {
          store_lanes(to + s * size, load_lanes(row));
          store_lanes(to + s * size + kWidth / 2, load_lanes(row + kWidth / 2));
        } else {
          convert_row(row, kWidth, to + s * size);
        }
      }
    }
    begin += whole;
  }
}

// Room after the panels for the lanes beyond the last one.
inline constexpr std::int64_t kPanelSlack = 8;

// `rows` rows and `depth` depths of an a whose columns lie `ak` apart in memory, as panels of
// kPanel rows: all panels of one k, then the next. Of the last panel only `rows` are written.
template <std::int64_t kPanel, class T>
void pack_along(const T* from, std::int64_t ak, std::int64_t rows, std::int64_t depth, T* to) {
  const std::int64_t whole = rows / kPanel * kPanel, panel = depth * kPanel;
  for (std::int64_t i = 0; i < depth; ++i) {
    const T* column = from + i * ak;
    T* at = to + i * kPanel;
    for (std::int64_t r = 0; r < whole; r += kPanel, at += panel) {
      __builtin_prefetch(column + r + 8 * ak);
      std::memcpy(at, column + r, kPanel * sizeof(T));
    }
    for (std::int64_t r = whole; r < rows; ++r) at[r - whole] = column[r];
  }
}

// Rows [m, m + rows) and depths [k, k + depth) of a as panels of kMicroRows rows: for each k,
// kMicroRows values; rows beyond the block have any value.
template <class T>
void pack_block(const Gemm<T>& g, std::int64_t m, std::int64_t rows, std::int64_t k,
                std::int64_t depth, T* to) {
  const T* const from = g.a + m * g.am + k * g.ak;
  const std::int64_t whole = rows / kMicroRows * kMicroRows, panel = depth * kMicroRows;
  if (g.am == 1) return pack_along<kMicroRows>(from, g.ak, rows, depth, to);
  std::int64_t first = 0;
  if constexpr (kTurns<T>) {
    static_assert(kMicroRows <= 8);
    // Each store is of 8 lanes, of which the next one covers what is beyond kMicroRows.
    for (; g.ak == 1 && first < whole; first += kMicroRows) {
      T* at = to + first * depth;
      std::int64_t i = 0;
      for (; i + 8 <= depth; i += 8) {
        Float8 lines[8]{};
        ATHANOR_UNROLL
        for (std::int64_t r = 0; r < kMicroRows; ++r) {
          lines[r] = *reinterpret_cast<const Float8*>(from + (first + r) * g.am + i);
        }
        turn(lines);
        ATHANOR_UNROLL
        for (std::int64_t r = 0; r < 8; ++r, at += kMicroRows) {
          *reinterpret_cast<Float8*>(at) = lines[r];
        }
      }
      for (; i < depth; ++i, at += kMicroRows) {
        for (std::int64_t r = 0; r < kMicroRows; ++r) at[r] = from[(first + r) * g.am + i];
      }
    }
  }
  for (std::int64_t r = first; r < rows; ++r) {
    T* at = to + r / kMicroRows * panel + r % kMicroRows;
    const T* row = from + r * g.am;
    for (std::int64_t i = 0; i < depth; ++i) at[i * kMicroRows] = row[i * g.ak];
  }
}

// The same for a dtype that is converted: first to `wide`, which has room for the block.
template <class S, class T>
void pack_block(const Gemm<S>& g, std::int64_t m, std::int64_t rows, std::int64_t k,
                std::int64_t depth, T* to, T* wide) {
  if constexpr (std::is_same_v<S, T>) {
    pack_block(g, m, rows, k, depth, to);
  } else {
    Gemm<T> block{};
    block.a = wide;
    block.am = g.am == 1 ? 1 : depth;
    block.ak = g.am == 1 ? rows : 1;
    const S* const from = g.a + m * g.am + k * g.ak;
    if (g.am == 1) {
      for (std::int64_t i = 0; i < depth; ++i) convert_row(from + i * g.ak, rows, wide + i * rows);
    } else if (g.ak == 1) {
      for (std::int64_t r = 0; r < rows; ++r) {
        convert_row(from + r * g.am, depth, wide + r * depth);
      }
    } else {
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t i = 0; i < depth; ++i) {
          wide[r * depth + i] = static_cast<T>(from[r * g.am + i * g.ak]);
        }
      }
    }
    pack_block(static_cast<const Gemm<T>&>(block), 0, rows, 0, depth, to);
  }
}
