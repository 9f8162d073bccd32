// Reductions along one row of contiguous values, in vector registers.
//
// Included after isa_begin.h; brings vector_math.h. Several accumulators hide the latency of an
// addition; their number is fixed, so a row's result depends on its size alone.

#include "tensor/backend/cpu/vector_math.h"

#if defined(ATHANOR_ISA_AVX512)
inline constexpr int kVectorBytes = 64;
#elif defined(ATHANOR_ISA_AVX2)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
  static constexpr std::int64_t lanes = kVectorBytes / sizeof(T);
};

struct SumOf {
  template <class V>
  static V join(V a, V b) {
    return a + b;
  }
};
// NaN wins.
struct MaxOf {
  template <class V>
  static V join(V a, V b) {
    return (b > a) | (b != b) ? b : a;
  }
};
struct MinOf {
  template <class V>
  static V join(V a, V b) {
    return (b < a) | (b != b) ? b : a;
  }
};

// join of x[0 .. n), n >= 1.
template <class Join, class T>
inline T reduce_row(const T* x, std::int64_t n) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  std::int64_t i = 0;
  T total;
  if (n >= W) {
    const auto load = [&](std::int64_t at) { return *reinterpret_cast<const V*>(x + at); };
    V a = load(0);
    i = W;
    if (n >= 4 * W) {
      V b = load(W), c = load(2 * W), d = load(3 * W);
      for (i = 4 * W; i + 4 * W <= n; i += 4 * W) {
        a = Join::join(a, load(i));
        b = Join::join(b, load(i + W));
        c = Join::join(c, load(i + 2 * W));
        d = Join::join(d, load(i + 3 * W));
      }
      a = Join::join(Join::join(a, b), Join::join(c, d));
    }
    for (; i + W <= n; i += W) a = Join::join(a, load(i));
    total = a[0];
    for (std::int64_t lane = 1; lane < W; ++lane) total = Join::join(total, T(a[lane]));
  } else {
    total = x[0];
    i = 1;
  }
  for (; i < n; ++i) total = Join::join(total, x[i]);
  return total;
}

// The same for a stride other than 1.
template <class Join, class T>
inline T reduce_strided(const T* x, std::int64_t n, std::int64_t stride) {
  if (stride == 1) return reduce_row<Join>(x, n);
  T total = x[0];
  for (std::int64_t i = 1; i < n; ++i) total = Join::join(total, x[i * stride]);
  return total;
}

// Calls f(piece, count, first) for the row's values in contiguous pieces of at most kRowPiece,
// copied to the stack where the stride is not 1.
inline constexpr std::int64_t kRowPiece = 256;
template <class T, class F>
inline void for_pieces(const T* x, std::int64_t n, std::int64_t stride, F f) {
  T copy[kRowPiece];
  for (std::int64_t first = 0; first < n; first += kRowPiece) {
    const std::int64_t count = n - first < kRowPiece ? n - first : kRowPiece;
    const T* from = x + first * stride;
    if (stride == 1) {
      f(from, count, first);
    } else {
      for (std::int64_t i = 0; i < count; ++i) copy[i] = from[i * stride];
      f(static_cast<const T*>(copy), count, first);
    }
  }
}

// log sum exp(scale x), shifted by the largest value so that nothing overflows.
template <class T>
inline T log_sum_exp(const T* x, std::int64_t n, std::int64_t stride, T scale) {
  const T largest = reduce_strided<MaxOf>(x, n, stride) * scale;
  // All -inf: any finite shift gives -inf. +inf: the shift 0 gives inf.
  const T shift = largest - largest == T(0) ? largest : T(0);
  T total = 0;
  for_pieces(x, n, stride, [&](const T* from, std::int64_t count, std::int64_t) {
    T e[kRowPiece];
    for (std::int64_t i = 0; i < count; ++i) e[i] = exp_of(from[i] * scale - shift);
    total += reduce_row<SumOf>(static_cast<const T*>(e), count);
  });
  return shift + std::log(total);
}

// Rows a thread takes at least.
inline std::int64_t row_grain(std::int64_t n) { return 8192 / (n > 0 ? n : 1) + 1; }
