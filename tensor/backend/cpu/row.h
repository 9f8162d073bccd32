// Reductions along one row of contiguous values, in vector registers.
//
// Included after isa_begin.h; brings vector_math.h. Several accumulators hide the latency of an
// addition; their number is fixed, so a row's result depends on its size alone.
#pragma once

#include "tensor/backend/cpu/vector_math.h"

#if defined(ATHANOR_ISA_AVX512)
inline constexpr int kVectorBytes = 64;
#elif defined(ATHANOR_ISA_AVX2)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

// Elements of a line of the caches.
template <class T>
inline constexpr std::int64_t kLineOf = 64 / sizeof(T);

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
  static constexpr std::int64_t lanes = kVectorBytes / sizeof(T);
};

template <class T>
inline typename VectorOf<T>::type load_lanes(const T* x) {
  return *reinterpret_cast<const typename VectorOf<T>::type*>(x);
}
template <class T>
inline void store_lanes(T* x, typename VectorOf<T>::type v) {
  *reinterpret_cast<typename VectorOf<T>::type*>(x) = v;
}

// exp(x) for x up to about 0 (at most 88), by lane: what a softmax needs. Within 1 ULP; 0 instead
// of subnormal results, which cost a processor dearly and add nothing to a sum with 1 in it.
// Several vectors go through step by step: one alone waits for its own results.
template <int N>
inline void exp_below_one(VectorOf<float>::type (&x)[N]) {
  using V = VectorOf<float>::type;
  typedef int I __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
  typedef unsigned U __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
  constexpr float kRound = 0x1.8p23f, kLowest = -87.33654f;
  constexpr float kTerms[] = {1.39337312e-3f, 8.33331048e-3f, 4.1666463e-2f, 0.166666672f, 0.5f};
  V shifted[N], r[N], p[N];
  ATHANOR_UNROLL
  for (int i = 0; i < N; ++i) shifted[i] = x[i] * 1.44269504f + kRound;
  ATHANOR_UNROLL
  for (int i = 0; i < N; ++i) {
    const V n = shifted[i] - kRound;
    r[i] = (x[i] - n * 0.693359375f) + n * 2.12194440e-4f;
    p[i] = V{} + 1.98910799e-4f;
  }
  ATHANOR_UNROLL
  for (const float term : kTerms) {
    ATHANOR_UNROLL
    for (int i = 0; i < N; ++i) p[i] = p[i] * r[i] + term;
  }
  ATHANOR_UNROLL
  for (int i = 0; i < N; ++i) {
    const V e = (r[i] + (r[i] * r[i]) * p[i]) + 1.0f;
    // shifted ends in the integer n, the exponent of 2^n; what it gives below kLowest is masked.
    const U power = ((U)shifted[i] << 23) + 0x3f800000u;
    x[i] = (V)((I)(e * (V)power) & ~(x[i] < kLowest));
  }
}
template <int N>
inline void exp_below_one(VectorOf<double>::type (&x)[N]) {
  for (VectorOf<double>::type& v : x) {
    ATHANOR_UNROLL
    for (std::int64_t lane = 0; lane < VectorOf<double>::lanes; ++lane) v[lane] = std::exp(v[lane]);
  }
}
inline VectorOf<float>::type exp_below_one(VectorOf<float>::type x) {
  VectorOf<float>::type one[1] = {x};
  exp_below_one(one);
  return one[0];
}
inline VectorOf<double>::type exp_below_one(VectorOf<double>::type x) {
  VectorOf<double>::type one[1] = {x};
  exp_below_one(one);
  return one[0];
}
template <class T>
inline T exp_below_one(T x) {
  typename VectorOf<T>::type v{};
  v[0] = x;
  return exp_below_one(v)[0];
}

// v folded onto itself by `join` until one lane is left: as many steps as the logarithm of the
// lanes.
template <class T, int kLanes, class V, class Join>
ATHANOR_INLINE T fold_lanes(V v, const Join& join) {
  if constexpr (kLanes == 1) {
    return v[0];
  } else {
    typedef T Half __attribute__((vector_size(sizeof(T) * kLanes / 2), may_alias));
    Half halves[2];
    __builtin_memcpy(halves, &v, sizeof(v));
    return fold_lanes<T, kLanes / 2>(join(halves[0], halves[1]), join);
  }
}

// The sum (largest) of the lanes; NaN is not looked for. A few lanes are added in their order.
template <class T>
inline T sum_lanes(typename VectorOf<T>::type v) {
  if constexpr (kVectorBytes == 64) {
    return fold_lanes<T, VectorOf<T>::lanes>(v, [](auto a, auto b) { return a + b; });
  } else {
    T total = v[0];
    ATHANOR_UNROLL
    for (std::int64_t lane = 1; lane < VectorOf<T>::lanes; ++lane) total += v[lane];
    return total;
  }
}
template <class T>
inline T max_lanes(typename VectorOf<T>::type v) {
  return fold_lanes<T, VectorOf<T>::lanes>(v, [](auto a, auto b) { return a > b ? a : b; });
}

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
    ATHANOR_UNROLL
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

// Whole vectors of a row of n values, then the rest in a vector filled up with `fill`: calls
// f(vector, first, count of its lanes that belong to the row).
template <class T, class F>
inline void for_lanes(const T* x, std::int64_t n, T fill, F f) {
  using V = typename VectorOf<T>::type;
  constexpr std::int64_t W = VectorOf<T>::lanes;
  std::int64_t i = 0;
  for (; i + W <= n; i += W) f(load_lanes(x + i), i, W);
  if (i == n) return;
  V rest;
  ATHANOR_UNROLL
  for (std::int64_t lane = 0; lane < W; ++lane) rest[lane] = i + lane < n ? x[i + lane] : fill;
  f(rest, i, n - i);
}

// Whether a row and its results may lie in the first-level cache beside the ones that come next.
// What comes next is asked for a few lines at a time between computations: more than the core can
// have under way at once would stop it.
template <class T>
inline bool is_short_row(std::int64_t n) {
  return n * static_cast<std::int64_t>(sizeof(T)) <= 8192;
}

// The largest value of a contiguous row; a NaN may get lost.
template <class T>
inline T largest_of(const T* x, std::int64_t n) {
  using V = typename VectorOf<T>::type;
  const T lowest = -std::numeric_limits<T>::infinity();
  constexpr std::int64_t W = VectorOf<T>::lanes;
  V a = V{} + lowest, b = a, c = a, d = a;
  std::int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {
    const V e = load_lanes(x + i), f = load_lanes(x + i + W);
    const V g = load_lanes(x + i + 2 * W), h = load_lanes(x + i + 3 * W);
    a = a > e ? a : e;
    b = b > f ? b : f;
    c = c > g ? c : g;
    d = d > h ? d : h;
  }
  a = a > b ? a : b;
  c = c > d ? c : d;
  a = a > c ? a : c;
  for_lanes(x + i, n - i, lowest, [&](V v, std::int64_t, std::int64_t) { a = a > v ? a : v; });
  return max_lanes<T>(a);
}

// log sum exp(scale x) of a contiguous row, scale > 0, whose largest value is finite. A NaN in the
// row gives NaN.
template <class T>
inline T log_sum_exp_lanes(const T* x, std::int64_t n, T largest, T scale) {
  using V = typename VectorOf<T>::type;
  const T shift = largest * scale;
  V sum{};
  for_lanes(x, n, -std::numeric_limits<T>::infinity(),
            [&](V v, std::int64_t, std::int64_t) { sum += exp_below_one(v * scale - shift); });
  return shift + std::log(sum_lanes<T>(sum));
}

// log sum exp(scale x), scale > 0, shifted by the largest value so that nothing overflows.
template <class T>
inline T log_sum_exp(const T* x, std::int64_t n, std::int64_t stride, T scale) {
  if (stride == 1) {
    const T top = largest_of(x, n);
    if (top - top == T(0)) return log_sum_exp_lanes(x, n, top, scale);
  }
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
