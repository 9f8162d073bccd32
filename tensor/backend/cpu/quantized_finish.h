// From sums to results. Included after isa_begin.h and quantized_layout.h, into an unnamed
// namespace.
#pragma once

// How the sums of one strip group become results; see requantize() in quantized_args.h.
struct Finish {
  alignas(64) std::int32_t offset[4 * kStrip];
  alignas(64) float multiplier[4 * kStrip];
  float lowest, highest;  // of what is stored, without the zero point
  std::int32_t zero_point;
  bool relu, real;  // real: to f32

  explicit Finish(const QuantizedConv2dArgs& a)
      : lowest(a.conv.relu ? 0.0f : static_cast<float>(-a.y_zero_point)),
        highest(static_cast<float>(255 - a.y_zero_point)),
        zero_point(a.y_zero_point),
        relu(a.conv.relu),
        real(a.conv.y.dtype == DType::f32) {}

  // For `count` channels from `first` on; those beyond have sums that nobody reads.
  void take(const QuantizedConv2dArgs& a, std::int64_t first, std::int64_t count) {
    for (std::int64_t i = 0; i < 4 * kStrip; ++i) {
      offset[i] = i < count ? a.offset.as<std::int32_t>()[first + i] : 0;
      multiplier[i] = i < count ? a.multiplier.as<float>()[first + i] : 0;
    }
  }
};

// The 16 channels of strip s: sums -> to. No fused multiply-add can arise: the product is compared
// first. As `whole` in |value| <= 255, 1.5 * 2^23 rounds halves to even.
ATHANOR_INLINE void finish_strip(const Finish& f, const std::int32_t* sums, std::int64_t s,
                                 std::uint8_t* to) {
  const std::int32_t* offset = f.offset + s * kStrip;
  const float* multiplier = f.multiplier + s * kStrip;
  const float lowest = f.lowest, highest = f.highest;
  const std::int32_t zero_point = f.zero_point;
  for (std::int64_t i = 0; i < kStrip; ++i) {
    float value = static_cast<float>(sums[i] + offset[i]) * multiplier[i];
    value = value < lowest ? lowest : value;
    value = value > highest ? highest : value;
    const float whole = (value + 12582912.0f) - 12582912.0f;
    to[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(whole) + zero_point);
  }
}
ATHANOR_INLINE void finish_strip(const Finish& f, const std::int32_t* sums, std::int64_t s,
                                 float* to) {
  const std::int32_t* offset = f.offset + s * kStrip;
  const float* multiplier = f.multiplier + s * kStrip;
  const float floor = f.relu ? 0.0f : -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < kStrip; ++i) {
    const float value = static_cast<float>(sums[i] + offset[i]) * multiplier[i];
    to[i] = value < floor ? floor : value;
  }
}

// `pixels` pixels of sums [pixels, strips * kStrip] to y with O values a pixel, `count` of them.
template <class Y>
void finish_line(const Finish& f, const std::int32_t* sums, std::int64_t strips,
                 std::int64_t pixels, std::int64_t count, Y* y, std::int64_t O) {
  alignas(64) Y edge[kStrip];
  for (std::int64_t p = 0; p < pixels; ++p, y += O, sums += strips * kStrip) {
    for (std::int64_t s = 0; s < strips; ++s) {
      const std::int64_t width = count - s * kStrip;
      if (width >= kStrip) {
        finish_strip(f, sums + s * kStrip, s, y + s * kStrip);
      } else {
        finish_strip(f, sums + s * kStrip, s, edge);
        std::memcpy(y + s * kStrip, edge, static_cast<std::size_t>(width) * sizeof(Y));
      }
    }
  }
}

// The largest of each 2 x 2 window of two lines of `pixels` pixels, into the first one: as large as
// the largest result, because multipliers are positive and rounding keeps order.
inline void pool_lines(std::int32_t* sums, std::int64_t width, std::int64_t pixels) {
  const std::int32_t* below = sums + pixels * width;
  for (std::int64_t p = 0; p < pixels / 2; ++p) {
    std::int32_t* to = sums + p * width;
    const std::int32_t *a = sums + 2 * p * width, *b = below + 2 * p * width;
    for (std::int64_t i = 0; i < width; i += kStrip) {
      std::int32_t most[kStrip];
      for (std::int64_t l = 0; l < kStrip; ++l) {
        const std::int32_t left = a[i + l] > b[i + l] ? a[i + l] : b[i + l];
        const std::int32_t right =
            a[width + i + l] > b[width + i + l] ? a[width + i + l] : b[width + i + l];
        most[l] = left > right ? left : right;
      }
      std::memcpy(to + i, most, sizeof most);
    }
  }
}
