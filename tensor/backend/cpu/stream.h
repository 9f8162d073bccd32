// Results that go past the cache. Memory that is only written costs two transfers otherwise: a line
// is read before it is overwritten.
//
// Included after isa_begin.h.
#pragma once

// Bytes that an operation reads and writes from which on its results would not stay in a
// last-level cache.
inline constexpr std::int64_t kStreamBytes = 32 << 20;

// Writes the 64 bytes at `from` to `to`; both on a boundary of 64 bytes.
inline void stream_line(const float* from, float* to) {
#if defined(ATHANOR_ISA_AVX2) || defined(ATHANOR_ISA_AVX512)
  constexpr int kBytes = 32;
#else
  constexpr int kBytes = 16;
#endif
  typedef float V __attribute__((vector_size(kBytes), may_alias));
  ATHANOR_UNROLL
  for (int i = 0; i < 64 / kBytes; ++i) {
    const V value = reinterpret_cast<const V*>(from)[i];
    V* const at = reinterpret_cast<V*>(to) + i;
#if defined(__clang__)
    __builtin_nontemporal_store(value, at);
#elif defined(ATHANOR_ISA_AVX2) || defined(ATHANOR_ISA_AVX512)
    __builtin_ia32_movntps256(reinterpret_cast<float*>(at), value);
#elif defined(__SSE2__)
    __builtin_ia32_movntps(reinterpret_cast<float*>(at), value);
#else
    *at = value;
#endif
  }
}

// Before another thread may read what was streamed.
inline void end_stream() {
#if defined(__SSE2__)
  __builtin_ia32_sfence();
#endif
}

// Whether `elements` elements, of which each operand has as many, are too many for a cache.
template <class T>
inline bool streams_results(std::int64_t elements) {
  return sizeof(T) == 4 && elements * static_cast<std::int64_t>(sizeof(T)) >= kStreamBytes;
}

// to[i] = value(i) for 4-byte values, past the cache; end_stream() comes after the last row.
template <class T, class F>
inline void stream_row(std::int64_t count, T* to, const F& value) {
  static_assert(sizeof(T) == 4);
  constexpr std::int64_t kLine = 64 / sizeof(T);
  std::int64_t i = 0;
  for (; i < count && reinterpret_cast<std::uintptr_t>(to + i) % 64 != 0; ++i) to[i] = value(i);
  for (; i + kLine <= count; i += kLine) {
    alignas(64) T line[kLine];
    for (std::int64_t k = 0; k < kLine; ++k) line[k] = value(i + k);
    stream_line(reinterpret_cast<const float*>(line), reinterpret_cast<float*>(to + i));
  }
  for (; i < count; ++i) to[i] = value(i);
}

// The same for values that end there.
template <class T, class F>
inline void stream_values(std::int64_t count, T* to, const F& value) {
  stream_row(count, to, value);
  end_stream();
}
