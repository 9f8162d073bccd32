// 16 values of a quantised tensor in vectors. Included after isa_begin.h, into an unnamed
// namespace.
#pragma once

#if defined(ATHANOR_ISA_AVX512)
typedef std::int32_t Ints __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(64)));
#elif defined(ATHANOR_ISA_AVX2)
typedef std::int32_t Ints __attribute__((vector_size(32)));
typedef float Floats __attribute__((vector_size(32)));
#else
typedef std::int32_t Ints __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(16)));
#endif
// Of which so many make a strip.
inline constexpr std::int64_t kStrip = 16;
inline constexpr int kParts = 64 / sizeof(Ints);
inline constexpr std::int64_t kLanes = sizeof(Ints) / 4;

template <class V>
ATHANOR_INLINE V load_vector(const void* from) {
  V to;
  std::memcpy(&to, from, sizeof to);
  return to;
}

// 16 sums.
struct Strip {
  Ints part[kParts];
};

// 16 bytes as i32, whose upper halves are 0.
ATHANOR_INLINE void widen_strip(const std::uint8_t* from, Strip& to) {
#if defined(ATHANOR_ISA_AVX512)
  to.part[0] = reinterpret_cast<Ints>(_mm512_maskz_cvtepu8_epi32(
      static_cast<__mmask16>(-1), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(ATHANOR_ISA_AVX2)
  for (int i = 0; i < kParts; ++i) {
    to.part[i] = reinterpret_cast<Ints>(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + 8 * i))));
  }
#else
  for (int i = 0; i < kParts; ++i) {
    for (int l = 0; l < kLanes; ++l) to.part[i][l] = from[i * kLanes + l];
  }
#endif
}

// Values between the whole numbers lowest and highest, rounded, halves to even: within 2^22 of 0,
// adding 1.5 * 2^23 leaves no digits behind the point. NaN becomes lowest.
ATHANOR_INLINE Ints clamp_round(const Floats& values, float lowest, float highest) {
  const Floats low = Floats{} + lowest, high = Floats{} + highest, magic = Floats{} + 12582912.0f;
  Floats clamped = values >= low ? values : low;
  clamped = clamped > high ? high : clamped;
  return __builtin_convertvector((clamped + magic) - magic, Ints);
}

// 16 values in the range of T as bytes.
template <class T>
ATHANOR_INLINE void narrow_strip(const Strip& values, T* to) {
#if defined(ATHANOR_ISA_AVX512)
  const __m128i bytes = _mm512_maskz_cvtepi32_epi8(static_cast<__mmask16>(-1),
                                                   reinterpret_cast<__m512i>(values.part[0]));
  std::memcpy(to, &bytes, sizeof bytes);
#elif defined(__SSE2__)
  __m128i quarters[4];
  std::memcpy(quarters, values.part, sizeof quarters);
  const __m128i low = _mm_packs_epi32(quarters[0], quarters[1]);
  const __m128i high = _mm_packs_epi32(quarters[2], quarters[3]);
  const __m128i bytes =
      std::is_signed_v<T> ? _mm_packs_epi16(low, high) : _mm_packus_epi16(low, high);
  std::memcpy(to, &bytes, sizeof bytes);
#else
  for (int i = 0; i < kParts; ++i) {
    for (int l = 0; l < kLanes; ++l) to[i * kLanes + l] = static_cast<T>(values.part[i][l]);
  }
#endif
}
