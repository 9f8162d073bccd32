// Tiles of c when their sums are complete: bias, conversion, and columns that lie apart in memory.
//
// Included after isa_begin.h, row.h and micro_gemm.h, into an unnamed namespace.
#pragma once

// Whether S is computed with as it is stored; f16 and bf16 become f32 when they are packed.
template <class S>
constexpr bool kComputes = std::is_same_v<S, compute_t<S>>;

// Whether sums can be gathered in c itself.
template <class S>
bool in_place(const Gemm<S>& g) {
  return kComputes<S> && g.cn == 1;
}

// The bias of c's columns from n on, where a block adds it to its sums after depth K.
template <class S>
const compute_t<S>* block_bias(const Gemm<S>& g, std::int64_t n) {
  if constexpr (kComputes<S>) {
    if (g.bias && g.bias_n == 1) return g.bias + n;
  }
  return nullptr;
}

// Adds the bias that no block did to a finished tile and, when it does not lie in c, writes it
// there, rounded once.
template <class S, class T>
void finish_tile(const Gemm<S>& g, std::int64_t m, std::int64_t rows, std::int64_t n,
                 std::int64_t columns, T* tile, std::int64_t ldt) {
  if (g.bias && !block_bias(g, n)) {
    const S* bias = g.bias + m * g.bias_m + n * g.bias_n;
    for (std::int64_t r = 0; r < rows; ++r) {
      T* row = tile + r * ldt;
      if (g.bias_n == 0) {
        const T value = static_cast<T>(bias[r * g.bias_m]);
        for (std::int64_t i = 0; i < columns; ++i) row[i] += value;
      } else {
        for (std::int64_t i = 0; i < columns; ++i) row[i] += static_cast<T>(bias[i]);
      }
    }
  }
  if (in_place(g)) return;
  S* c = g.c + m * g.cm + n * g.cn;
  if (g.cn == 1) {
    for (std::int64_t r = 0; r < rows; ++r) {
      convert_row(static_cast<const T*>(tile + r * ldt), columns, c + r * g.cm);
    }
    return;
  }
  // Eight rows at a time: short pieces of c, few lines of the tile.
  for (std::int64_t first = 0; first < rows; first += 8) {
    const std::int64_t count = smaller(8, rows - first);
    const T* from = tile + first * ldt;
    std::int64_t i = 0;
    if constexpr (kComputes<S> && kTurns<S>) {
      for (; count == 8 && g.cm == 1 && i + 8 <= columns; i += 8) {
        turn_block(from + i, ldt, c + i * g.cn + first, g.cn);
      }
    }
    for (; i < columns; ++i) {
      S* to = c + i * g.cn + first * g.cm;
      if (count == 8 && g.cm == 1) {
        for (std::int64_t r = 0; r < 8; ++r) to[r] = static_cast<S>(from[r * ldt + i]);
      } else {
        for (std::int64_t r = 0; r < count; ++r) to[r * g.cm] = static_cast<S>(from[r * ldt + i]);
      }
    }
  }
}
