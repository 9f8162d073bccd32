// Packing for the own matrix product. Included after isa_begin.h, row.h and micro_gemm.h.
//
// Both sides are read once along their memory: rows of 8 are turned in registers, and several
// strips are filled side by side, so that a page is left only once.
#pragma once

// `count` columns of b from n on (at most kMicroColumns) as one strip: for each k, kMicroColumns
// values, zero beyond `count`.
template <class T>
void pack_strip(const Gemm<T>& g, std::int64_t n, std::int64_t count, T* to) {
  constexpr std::int64_t kWidth = kMicroColumns<T>;
  const T* const from = g.b + n * g.bn;
  const bool rows = g.bk == 1 && count == kWidth;
  const std::int64_t done = rows ? turn_strip(from, g.bn, g.K, to) : 0;  // of k
  // A piece at a time, so that the lines it writes stay in the first-level cache.
  constexpr std::int64_t kPiece = 128;
  for (std::int64_t first = done; first < g.K; first += kPiece) {
    const std::int64_t last = smaller(first + kPiece, g.K);
    for (std::int64_t i = 0; i < kWidth; ++i) {
      const T* column = from + i * g.bn;
      for (std::int64_t k = first; k < last; ++k) {
        to[k * kWidth + i] = i < count ? column[k * g.bk] : T(0);
      }
    }
  }
}

// The strips [begin, end) of b's columns from `first` on, each K * kMicroColumns values.
template <class T>
void pack_strips(const Gemm<T>& g, std::int64_t first, std::int64_t begin, std::int64_t end,
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
      const T* row = g.b + k * g.bk + n;
      for (std::int64_t s = 0; s < whole; ++s, row += kWidth) {
        for (std::int64_t i = 0; i < kWidth; i += kLineOf<T>) {
          __builtin_prefetch(row + 10 * g.bk + i);
        }
        store_lanes(to + s * size, load_lanes(row));
        store_lanes(to + s * size + kWidth / 2, load_lanes(row + kWidth / 2));
      }
    }
    begin += whole;
  }
}

// Room after the panels for the lanes beyond the last one.
inline constexpr std::int64_t kPanelSlack = 8;

// Rows [m, m + rows) and depths [k, k + depth) of a as panels of kMicroRows rows: for each k,
// kMicroRows values; rows beyond the block have any value.
template <class T>
void pack_block(const Gemm<T>& g, std::int64_t m, std::int64_t rows, std::int64_t k,
                std::int64_t depth, T* to) {
  const T* const from = g.a + m * g.am + k * g.ak;
  const std::int64_t whole = rows / kMicroRows * kMicroRows, panel = depth * kMicroRows;
  std::int64_t first = 0;
  if (g.am == 1) {  // along memory: all panels of one k, then the next
    for (std::int64_t i = 0; i < depth; ++i) {
      const T* column = from + i * g.ak;
      T* at = to + i * kMicroRows;
      for (std::int64_t r = 0; r < whole; r += kMicroRows, at += panel) {
        __builtin_prefetch(column + r + 8 * g.ak);
        std::memcpy(at, column + r, kMicroRows * sizeof(T));
      }
    }
    first = whole;
  }
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
