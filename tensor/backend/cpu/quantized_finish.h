// From sums to results. Included after quantized_layout.h and quantized_strip.h, into an unnamed
// namespace.
#pragma once

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

// The products of a strip -> to. No fused multiply-add can arise: a product is compared first.
ATHANOR_INLINE void store_strip(const Finish& f, const Floats (&products)[kParts],
                                std::uint8_t* to) {
  Strip whole;
  ATHANOR_UNROLL
  for (int i = 0; i < kParts; ++i) {
    whole.part[i] = clamp_round(products[i], f.lowest, f.highest) + f.zero_point;
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
