// Elementwise kernels of quantised tensors, and the mean of planes.
#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/isa_integers.h"

namespace {

// v between the whole numbers lowest and highest, at most 2^22 apart from 0, rounded, halves to
// even: within +-2^22 adding 1.5 * 2^23 leaves no digits behind the point. NaN becomes lowest.
ATHANOR_INLINE std::int32_t clamp_round(float v, float lowest, float highest) {
  v = v >= lowest ? v : lowest;
  v = v > highest ? highest : v;
  return static_cast<std::int32_t>((v + 12582912.0f) - 12582912.0f);
}

// Calls f(first, last, scale) over pieces of contiguous elements that share a scale.
template <class F>
void for_each_piece(std::int64_t count, const Operand& scale, const F& f) {
  const std::int64_t inner = count / scale.numel();
  parallel_for(count, 16384, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t channel = begin / inner;
      const std::int64_t last = smaller(end, (channel + 1) * inner);
      f(begin, last, scale.as<float>()[channel]);
      begin = last;
    }
  });
}

template <class T>
void quantize_typed(const QuantizeArgs& a) {
  const float* const x = a.x.as<float>();
  T* const y = a.y.as<T>();
  const std::int32_t zero_point = a.zero_point;
  const auto lowest = static_cast<float>(a.lowest - zero_point);
  const auto highest = static_cast<float>(a.highest - zero_point);
  for_each_piece(a.x.numel(), a.scale, [=](std::int64_t i, std::int64_t end, float scale) {
    ATHANOR_INDEPENDENT
    for (; i < end; ++i) {
      y[i] = static_cast<T>(clamp_round(x[i] / scale, lowest, highest) + zero_point);
    }
  });
}

template <class T>
void dequantize_typed(const DequantizeArgs& a) {
  const T* const x = a.x.as<T>();
  float* const y = a.y.as<float>();
  const std::int32_t zero_point = a.zero_point;
  for_each_piece(a.x.numel(), a.scale, [=](std::int64_t i, std::int64_t end, float scale) {
    ATHANOR_INDEPENDENT
    for (; i < end; ++i) y[i] = static_cast<float>(x[i] - zero_point) * scale;
  });
}

}  // namespace

void quantize(const QuantizeArgs& a) {
  if (a.x.numel() == 0) return;
  a.y.dtype == DType::u8 ? quantize_typed<std::uint8_t>(a) : quantize_typed<std::int8_t>(a);
}

void dequantize(const DequantizeArgs& a) {
  if (a.x.numel() == 0) return;
  a.x.dtype == DType::u8 ? dequantize_typed<std::uint8_t>(a) : dequantize_typed<std::int8_t>(a);
}

void quantized_add(const QuantizedAddArgs& a) {
  const std::uint8_t *const x = a.a.as<std::uint8_t>(), *const z = a.b.as<std::uint8_t>();
  std::uint8_t* const y = a.y.as<std::uint8_t>();
  const std::int32_t x_factor = a.a_factor, z_factor = a.b_factor, y_zero = a.y_zero;
  // The zero points' part and the half that rounds, once.
  const std::int32_t rest = (1 << (a.shift - 1)) - a.a_zero * x_factor - a.b_zero * z_factor;
  const std::int32_t lowest = a.relu ? y_zero : 0;
  const int shift = a.shift;
  parallel_for(a.y.numel(), 32768, [=](std::int64_t i, std::int64_t end) {
    ATHANOR_INDEPENDENT
    for (; i < end; ++i) {
      std::int32_t value = ((x[i] * x_factor + (z[i] * z_factor + rest)) >> shift) + y_zero;
      value = value < lowest ? lowest : value;
      y[i] = static_cast<std::uint8_t>(value > 255 ? 255 : value);
    }
  });
}

void quantized_avg_pool(const QuantizedAvgPoolArgs& a) {
  const std::int64_t C = a.x.sizes[1], plane = a.x.sizes[2] * a.x.sizes[3];
  const auto lowest = static_cast<float>(-a.y_zero), highest = static_cast<float>(255 - a.y_zero);
  const auto zeros = static_cast<std::int32_t>(plane * a.x_zero);
  parallel_for(a.x.sizes[0], 32768 / (plane * C) + 1, [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t kWidth = 64;
    for (std::int64_t n = begin; n < end; ++n) {
      for (std::int64_t first = 0; first < C; first += kWidth) {
        const std::int64_t width = smaller(kWidth, C - first);
        std::int32_t sums[kWidth];
        for (std::int64_t c = 0; c < width; ++c) sums[c] = -zeros;
        const std::uint8_t* x = a.x.as<std::uint8_t>() + n * plane * C + first;
        for (std::int64_t i = 0; i < plane; ++i, x += C) {
          for (std::int64_t c = 0; c < width; ++c) sums[c] += x[c];
        }
        std::uint8_t* y = a.y.as<std::uint8_t>() + n * C + first;
        for (std::int64_t c = 0; c < width; ++c) {
          const float value = static_cast<float>(sums[c]) * a.multiplier;
          y[c] = static_cast<std::uint8_t>(clamp_round(value, lowest, highest) + a.y_zero);
        }
      }
    }
  });
}

#include "tensor/backend/cpu/isa_end.h"
