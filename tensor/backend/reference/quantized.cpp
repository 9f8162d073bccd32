#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/backend/reference/pool_pairs.h"

namespace athanor::reference {
namespace {

// Calls f(Tag<T>) with the integer type of 8 bits.
template <class F>
void visit_bytes(DType dtype, F&& f) {
  if (dtype == DType::u8) return f(Tag<std::uint8_t>{});
  f(Tag<std::int8_t>{});
}

// The scale of element i of `count`: contiguous, with as many channels as scales.
float scale_of(const Operand& scale, std::int64_t i, std::int64_t count) {
  const std::int64_t inner = count / scale.numel();
  return scale.as<float>()[i / inner];
}

// The sum of w (x - x_zero) over the window of y's element `at`.
std::int32_t window_sum(const QuantizedConv2dArgs& args, const Index& at) {
  const Conv2dArgs& a = args.conv;
  const std::int64_t O = a.w.sizes[0], I = a.w.sizes[1], o = at[1];
  const std::int64_t first = o / (O / a.groups) * I;
  const std::int8_t* w = a.w.as<std::int8_t>() + o * I * a.w.sizes[2] * a.w.sizes[3];
  std::int32_t sum = 0;
  for (std::int64_t c = 0; c < I; ++c) {
    for (std::int64_t p = 0; p < a.w.sizes[2]; ++p) {
      const std::int64_t row = at[2] * a.stride.h - a.padding.h + p * a.dilation.h;
      for (std::int64_t q = 0; q < a.w.sizes[3]; ++q, ++w) {
        const std::int64_t column = at[3] * a.stride.w - a.padding.w + q * a.dilation.w;
        if (row < 0 || row >= a.x.sizes[2] || column < 0 || column >= a.x.sizes[3]) continue;
        const std::uint8_t x =
            a.x.as<std::uint8_t>()[at[0] * a.x.strides[0] + (first + c) * a.x.strides[1] +
                                   row * a.x.strides[2] + column * a.x.strides[3]];
        sum += *w * (x - args.x_zero_point);
      }
    }
  }
  return sum;
}

template <class T>
void convolve(const QuantizedConv2dArgs& args) {
  const Conv2dArgs& a = args.conv;
  if (a.pool) {  // of a convolution that is kept
    const std::int64_t O = a.y.sizes[1], H = 2 * a.y.sizes[2], W = 2 * a.y.sizes[3];
    const std::int64_t sizes[] = {a.y.sizes[0], O, H, W}, strides[] = {O * H * W, H * W, W, 1};
    std::vector<T> values(static_cast<std::size_t>(sizes[0] * strides[0]));
    QuantizedConv2dArgs whole = args;
    whole.conv.pool = false;
    whole.conv.y = {values.data(), sizes, strides, 4, a.y.dtype};
    convolve<T>(whole);
    return pool_pairs<T>(whole.conv.y, a.y);
  }
  Index at(a.y.sizes, 4);
  for (std::int64_t i = a.y.numel(); i > 0; --i, at.next()) {
    const std::int32_t sum = a.b.as<std::int32_t>()[at[1]] + window_sum(args, at);
    const float multiplier = args.multiplier.as<float>()[at[1]];
    T& y = a.y.as<T>()[at.offset(a.y.strides)];
    if constexpr (std::is_same_v<T, float>) {
      y = static_cast<float>(sum) * multiplier;
      if (a.relu && y < 0) y = 0;
    } else {
      y = requantize(sum, multiplier, args.y_zero_point, a.relu);
    }
  }
}

}  // namespace

void quantize(const QuantizeArgs& a) {
  const std::int64_t count = a.x.numel();
  visit_bytes(a.y.dtype, [&]<class T>(Tag<T>) {
    for (std::int64_t i = 0; i < count; ++i) {
      const float rounded =
          std::nearbyint(a.x.as<float>()[i] * (1.0f / scale_of(a.scale, i, count)));
      // Clamped before the zero point is added: beyond 2^24 an f32 would swallow it.
      const auto lowest = static_cast<float>(a.lowest - a.zero_point);
      const auto highest = static_cast<float>(a.highest - a.zero_point);
      const float value = !(rounded >= lowest) ? lowest : rounded > highest ? highest : rounded;
      a.y.as<T>()[i] = static_cast<T>(static_cast<std::int32_t>(value) + a.zero_point);
    }
  });
}

void dequantize(const DequantizeArgs& a) {
  const std::int64_t count = a.x.numel();
  visit_bytes(a.x.dtype, [&]<class T>(Tag<T>) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int32_t steps = a.x.as<T>()[i] - a.zero_point;
      a.y.as<float>()[i] = static_cast<float>(steps) * scale_of(a.scale, i, count);
    }
  });
}

void quantized_conv2d(const QuantizedConv2dArgs& a) {
  a.conv.y.dtype == DType::f32 ? convolve<float>(a) : convolve<std::uint8_t>(a);
}

void quantized_add(const QuantizedAddArgs& a) {
  const std::uint8_t *x = a.a.as<std::uint8_t>(), *z = a.b.as<std::uint8_t>();
  const std::int32_t lowest = a.relu ? a.y_zero : 0;
  for (std::int64_t i = 0; i < a.y.numel(); ++i) {
    const std::int32_t sum = (x[i] - a.a_zero) * a.a_factor + (z[i] - a.b_zero) * a.b_factor;
    const std::int32_t rounded = (sum + (1 << (a.shift - 1))) >> a.shift;
    a.y.as<std::uint8_t>()[i] =
        static_cast<std::uint8_t>(std::clamp(rounded + a.y_zero, lowest, 255));
  }
}

void quantized_avg_pool(const QuantizedAvgPoolArgs& a) {
  const std::int64_t N = a.x.sizes[0], C = a.x.sizes[1], H = a.x.sizes[2], W = a.x.sizes[3];
  const std::uint8_t* x = a.x.as<std::uint8_t>();
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t c = 0; c < C; ++c) {
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < H * W; ++i) sum += x[(n * H * W + i) * C + c] - a.x_zero;
      a.y.as<std::uint8_t>()[n * C + c] = requantize(sum, a.multiplier, a.y_zero, false);
    }
  }
}

}  // namespace athanor::reference
