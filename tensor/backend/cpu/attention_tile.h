// What forward and backward of attention share: tile sizes, where things lie, who sees whom.
//
// Included after isa_begin.h, row.h and micro_gemm.h.
#pragma once

// Queries and keys of one tile of scores: multiples of kMicroRows, and kKeyTile of kMicroColumns
// of every instruction set. Scores of 18 kB and a tile of keys stay in the second-level cache.
inline constexpr std::int64_t kQueryTile = 48;
inline constexpr std::int64_t kKeyTile = 96;

template <class T>
inline std::int64_t padded(std::int64_t n) {
  return (n + kMicroColumns<T> - 1) / kMicroColumns<T> * kMicroColumns<T>;
}

// The matrix [L, D] of batch b and head h in an operand [B, H, L, D] of type S.
template <class S>
struct HeadView {
  S* data;
  std::int64_t row, column;

  HeadView(const Operand& x, std::int64_t b, std::int64_t h)
      : data(x.as<S>() + b * x.strides[0] + h * x.strides[1]),
        row(x.strides[2]),
        column(x.strides[3]) {}
  S* at(std::int64_t i) const { return data + i * row; }
};

// Query i sees the keys below end(i).
struct Sight {
  std::int64_t keys, offset;
  bool causal;

  template <class Args>
  Sight(const Args& a, std::int64_t b)
      : keys(a.key_lengths.data ? a.key_lengths.template as<std::int64_t>()[b] : a.k.sizes[2]),
        offset(a.k.sizes[2] - a.q.sizes[2] + 1),
        causal(a.causal) {}
  std::int64_t end(std::int64_t i) const {
    return causal ? larger(0, smaller(keys, i + offset)) : keys;
  }
};

// The scores of a tile that are seen: row r has the columns below r + shift. As parts of a product
// (tile_gemm): of its result, of its left side, and of its left side transposed.
struct Stairs : WholeProduct {
  std::int64_t shift;

  // Rows from query `row` on, columns from key `column` on.
  Stairs(const Sight& sight, std::int64_t row, std::int64_t column)
      : shift(sight.causal ? row + sight.offset - column : sight.keys) {}
  // Of `count` columns those that products read in a row with `seen`: to the end of its block's
  // last.
  std::int64_t read(std::int64_t seen, std::int64_t count) const {
    return smaller(count, seen + kMicroRows - 1);
  }
};
struct ResultStairs : Stairs {
  std::int64_t first(std::int64_t n) const { return larger(0, n + 1 - shift); }
};
struct LeftStairs : Stairs {
  std::int64_t end(std::int64_t m, std::int64_t K) const { return smaller(K, m - 1 + shift); }
};
struct TurnedStairs : Stairs {
  std::int64_t begin(std::int64_t m) const { return larger(0, m + 1 - shift); }
};

// The first `count` lanes of v, `other` in the rest.
template <class T>
ATHANOR_INLINE typename VectorOf<T>::type first_lanes(typename VectorOf<T>::type v,
                                                      std::int64_t count, T other) {
  typename VectorOf<T>::type number;
  ATHANOR_UNROLL
  for (std::int64_t lane = 0; lane < VectorOf<T>::lanes; ++lane)
    number[lane] = static_cast<T>(lane);
  return number < static_cast<T>(count) ? v : other;
}

// Calls f with the first of N vectors, as often as `count` has them, then with each that is left.
template <int N, class F>
ATHANOR_INLINE void for_vectors(std::int64_t count, const F& f) {
  std::int64_t v = 0;
  for (; v + N <= count; v += N) f.template operator()<N>(v);
  for (; v < count; ++v) f.template operator()<1>(v);
}

// s[c] += mask[i, j + c] for c < count; the mask is that of batch b and head h.
template <class S, class T>
inline void add_mask(const Operand& mask, std::int64_t b, std::int64_t h, std::int64_t i,
                     std::int64_t j, std::int64_t count, T* s) {
  const HeadView<S> view(mask, b, h);
  const S* from = view.at(i) + j * view.column;
  for (std::int64_t c = 0; c < count; ++c) s[c] += static_cast<T>(from[c * view.column]);
}

// to[d * column] = scale from[d] for d < D, rounded to S.
template <class S, class T>
inline void store_scaled(const T* __restrict from, std::int64_t D, T scale, S* __restrict to,
                         std::int64_t column) {
  if (column == 1) {
    for (std::int64_t d = 0; d < D; ++d) to[d] = static_cast<S>(from[d] * scale);
  } else {
    for (std::int64_t d = 0; d < D; ++d) to[d * column] = static_cast<S>(from[d] * scale);
  }
}

// sum x[d] y[d * column] for d < D; x has room for whole vectors and zeros beyond D.
template <class S, class T>
inline T dot_of(const T* x, const S* y, std::int64_t D, std::int64_t column) {
  if constexpr (std::is_same_v<S, T>) {
    if (column == 1) {
      typename VectorOf<T>::type sum{};
      for_lanes(y, D, T(0), [&](auto v, std::int64_t first, std::int64_t) {
        sum += v * load_lanes(x + first);
      });
      return sum_lanes<T>(sum);
    }
  }
  T sum = 0;
  for (std::int64_t d = 0; d < D; ++d) sum += x[d] * static_cast<T>(y[d * column]);
  return sum;
}

// Hands out parts of one block of scratch memory, 64-byte aligned.
template <class T>
class ScratchParts {
 public:
  explicit ScratchParts(std::int64_t elements, int parts)
      : next_(static_cast<T*>(thread_scratch((elements + parts * kLine) * sizeof(T)))) {}
  T* take(std::int64_t elements) {
    T* part = next_;
    next_ += (elements + kLine - 1) / kLine * kLine;
    return part;
  }

 private:
  static constexpr std::int64_t kLine = 64 / sizeof(T);
  T* next_;
};
