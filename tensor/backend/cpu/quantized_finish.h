// From sums to results. Included after isa_begin.h and quantized_layout.h, into an unnamed
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
inline constexpr int kParts = 64 / sizeof(Ints);
inline constexpr std::int64_t kLanes = sizeof(Ints) / 4;

template <class V>
ATHANOR_INLINE V load_vector(const void* from) {
  V to;
  std::memcpy(&to, from, sizeof to);
  return to;
}

// How the sums of up to four strips become results; see requantize() in quantized_args.h.
struct Finish {
  alignas(64) std::int32_t offset[4 * kStrip];
  alignas(64) float multiplier[4 * kStrip];
  float lowest, highest;  // of what is stored, without the zero point
  std::int32_t zero_point;
  bool relu;

  explicit Finish(const QuantizedConv2dArgs& a)
      : lowest(a.conv.relu ? 0.0f : static_cast<float>(-a.y_zero_point)),
        highest(static_cast<float>(255 - a.y_zero_point)),
        zero_point(a.y_zero_point),
        relu(a.conv.relu) {}

  // For `count` channels from `first` on; those beyond have sums that nobody reads.
  void take(const QuantizedConv2dArgs& a, std::int64_t first, std::int64_t count) {
    for (std::int64_t i = 0; i < 4 * kStrip; ++i) {
      offset[i] = i < count ? a.offset.as<std::int32_t>()[first + i] : 0;
      multiplier[i] = i < count ? a.multiplier.as<float>()[first + i] : 0;
    }
  }
};

// 16 values in [0, 255] as bytes.
ATHANOR_INLINE void narrow_strip(const Ints (&values)[kParts], std::uint8_t* to) {
#if defined(ATHANOR_ISA_AVX512)
  const __m128i bytes =
      _mm512_maskz_cvtepi32_epi8(static_cast<__mmask16>(-1), reinterpret_cast<__m512i>(values[0]));
  std::memcpy(to, &bytes, sizeof bytes);
#elif defined(__SSE2__)
  __m128i quarters[4];
  std::memcpy(quarters, values, sizeof quarters);
  const __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(quarters[0], quarters[1]),
                                         _mm_packs_epi32(quarters[2], quarters[3]));
  std::memcpy(to, &bytes, sizeof bytes);
#else
  for (int i = 0; i < kParts; ++i) {
    for (int l = 0; l < kLanes; ++l) to[i * kLanes + l] = static_cast<std::uint8_t>(values[i][l]);
  }
#endif
}

// The products of a strip -> to. No fused multiply-add can arise: a product is compared first.
// Within 2^22 of 0 adding 1.5 * 2^23 rounds halves to even.
ATHANOR_INLINE void store_strip(const Finish& f, const Floats (&products)[kParts],
                                std::uint8_t* to) {
  const Floats lowest = Floats{} + f.lowest, highest = Floats{} + f.highest;
  const Floats magic = Floats{} + 12582912.0f;
  Ints whole[kParts];
  ATHANOR_UNROLL
  for (int i = 0; i < kParts; ++i) {
    Floats value = products[i] < lowest ? lowest : products[i];
    value = value > highest ? highest : value;
    whole[i] = __builtin_convertvector((value + magic) - magic, Ints) + f.zero_point;
  }
  narrow_strip(whole, to);
}
ATHANOR_INLINE void store_strip(const Finish& f, const Floats (&products)[kParts], float* to) {
  const Floats zero{};
  ATHANOR_UNROLL
  for (int i = 0; i < kParts; ++i) {
    const Floats value = products[i] < zero ? zero : products[i];
    std::memcpy(to + i * kLanes, f.relu ? &value : &products[i], sizeof value);
  }
}

// `pixels` pixels of sums [pixels, S * kStrip] to y with O values a pixel, `count` of them.
template <int S, class Y>
void finish_pixels(const Finish& f, const std::int32_t* sums, std::int64_t pixels,
                   std::int64_t count, Y* y, std::int64_t O) {
  const bool whole = count == S * kStrip;
  for (std::int64_t p = 0; p < pixels; ++p, y += O, sums += S * kStrip) {
    alignas(64) Y edge[S * kStrip];
    Y* const to = whole ? y : edge;
    ATHANOR_UNROLL
    for (int s = 0; s < S; ++s) {
      Floats products[kParts];
      ATHANOR_UNROLL
      for (int i = 0; i < kParts; ++i) {
        const std::int64_t at = s * kStrip + i * kLanes;
        const Ints sum = load_vector<Ints>(sums + at) + load_vector<Ints>(f.offset + at);
        products[i] = __builtin_convertvector(sum, Floats) * load_vector<Floats>(f.multiplier + at);
      }
      store_strip(f, products, to + s * kStrip);
    }
    if (!whole) std::memcpy(y, edge, static_cast<std::size_t>(count) * sizeof(Y));
  }
}

// The same for `strips` in 1, 2, 4.
template <class Y>
void finish_line(const Finish& f, const std::int32_t* sums, std::int64_t strips,
                 std::int64_t pixels, std::int64_t count, Y* y, std::int64_t O) {
  if (strips == 4) return finish_pixels<4>(f, sums, pixels, count, y, O);
  if (strips == 2) return finish_pixels<2>(f, sums, pixels, count, y, O);
  finish_pixels<1>(f, sums, pixels, count, y, O);
}

// The largest of each 2 x 2 window of two lines of `pixels` pixels, `width` sums a pixel, into the
// first one: as large as the largest result, because multipliers are positive and rounding keeps
// order.
inline void pool_lines(std::int32_t* sums, std::int64_t width, std::int64_t pixels) {
  const std::int32_t* below = sums + pixels * width;
  for (std::int64_t p = 0; p < pixels / 2; ++p) {
    for (std::int64_t i = 0; i < width; i += kLanes) {
      const std::int64_t at = 2 * p * width + i;
      const Ints a = load_vector<Ints>(sums + at), b = load_vector<Ints>(sums + at + width);
      const Ints c = load_vector<Ints>(below + at), d = load_vector<Ints>(below + at + width);
      const Ints left = a > c ? a : c, right = b > d ? b : d;
      const Ints most = left > right ? left : right;
      std::memcpy(sums + p * width + i, &most, sizeof most);
    }
  }
}
