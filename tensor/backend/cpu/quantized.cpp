// Elementwise kernels of quantised tensors, and the mean of planes: strips of 16 in vectors, the
// last one through a copy.
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/isa_integers.h"

namespace {

#include "tensor/backend/cpu/quantized_strip.h"

// Calls f(first, last, channel) over pieces of contiguous elements of one channel.
template <class F>
void for_each_piece(std::int64_t count, std::int64_t channels, const F& f) {
  const std::int64_t inner = count / channels;
  parallel_for(count, 16384, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t channel = begin / inner;
      const std::int64_t last = smaller(end, (channel + 1) * inner);
      f(begin, last, channel);
      begin = last;
    }
  });
}

template <class X>
ATHANOR_INLINE void copy_values(X* to, const X* from, std::int64_t count) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(X));
}

template <class T>
ATHANOR_INLINE void quantize_strip(const QuantizeArgs& a, const float* x, float inverse, T* y) {
  const auto lowest = static_cast<float>(a.lowest - a.zero_point);
  const auto highest = static_cast<float>(a.highest - a.zero_point);
  Strip strip;
  ATHANOR_UNROLL
  for (int i = 0; i < kParts; ++i) {
    const Floats steps = load_vector<Floats>(x + i * kLanes) * inverse;
    strip.part[i] = clamp_round(steps, lowest, highest) + a.zero_point;
  }
  narrow_strip(strip, y);
}

template <class T>
void quantize_typed(const QuantizeArgs& a) {
  for_each_piece(
      a.x.numel(), a.scale.numel(), [&a](std::int64_t i, std::int64_t end, std::int64_t channel) {
        const QuantizeArgs args = a;  // here, where stores of bytes cannot change it
        const float *x = args.x.as<float>(), inverse = 1.0f / args.scale.as<float>()[channel];
        T* const y = args.y.as<T>();
        for (; i + kStrip <= end; i += kStrip) quantize_strip(args, x + i, inverse, y + i);
        float from[kStrip] = {};
        T to[kStrip];
        copy_values(from, x + i, end - i);
        quantize_strip(args, from, inverse, to);
        copy_values(y + i, to, end - i);
      });
}

template <class T>
void dequantize_typed(const DequantizeArgs& a) {
  for_each_piece(a.x.numel(), a.scale.numel(),
                 [&a](std::int64_t i, std::int64_t end, std::int64_t channel) {
                   const T* const x = a.x.as<T>();
                   float* const y = a.y.as<float>();
                   const std::int32_t zero_point = a.zero_point;
                   const float scale = a.scale.as<float>()[channel];
                   ATHANOR_INDEPENDENT
                   for (; i < end; ++i) y[i] = static_cast<float>(x[i] - zero_point) * scale;
                 });
}

// What quantized_add multiplies by and adds.
struct AddRule {
  std::int32_t a_factor, b_factor, rest, y_zero, lowest;
  int shift;
};

ATHANOR_INLINE void add_strip(const AddRule& r, const std::uint8_t* a, const std::uint8_t* b,
                              std::uint8_t* y) {
  Strip x, z;
  widen_strip(a, x);
  widen_strip(b, z);
  ATHANOR_UNROLL
  for (int i = 0; i < kParts; ++i) {
    const Ints lowest = Ints{} + r.lowest, highest = Ints{} + 255;
    Ints value = x.part[i] * r.a_factor + (z.part[i] * r.b_factor + r.rest);
    value = (value >> r.shift) + r.y_zero;
    value = value > lowest ? value : lowest;
    x.part[i] = value < highest ? value : highest;
  }
  narrow_strip(x, y);
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
  // The zero points' part and the half that rounds, once.
  const std::int32_t rest = (1 << (a.shift - 1)) - a.a_zero * a.a_factor - a.b_zero * a.b_factor;
  const AddRule rule{a.a_factor, a.b_factor, rest, a.y_zero, a.relu ? a.y_zero : 0, a.shift};
  parallel_for(a.y.numel(), 32768, [=](std::int64_t i, std::int64_t end) {
    for (; i + kStrip <= end; i += kStrip) add_strip(rule, x + i, z + i, y + i);
    std::uint8_t one[kStrip] = {}, other[kStrip] = {}, to[kStrip];
    copy_values(one, x + i, end - i);
    copy_values(other, z + i, end - i);
    add_strip(rule, one, other, to);
    copy_values(y + i, to, end - i);
  });
}

void quantized_avg_pool(const QuantizedAvgPoolArgs& a) {
  const std::int64_t C = a.x.sizes[1], plane = a.x.sizes[2] * a.x.sizes[3];
  const auto lowest = static_cast<float>(-a.y_zero), highest = static_cast<float>(255 - a.y_zero);
  const auto zeros = static_cast<std::int32_t>(plane * a.x_zero);
  parallel_for(a.x.sizes[0], 32768 / (plane * C) + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      for (std::int64_t c = 0; c < C; c += kStrip) {
        const std::int64_t width = smaller(kStrip, C - c);
        const std::uint8_t* x = a.x.as<std::uint8_t>() + n * plane * C + c;
        Strip sums, here;
        for (Ints& part : sums.part) part = Ints{} - zeros;
        for (std::int64_t i = 0; i < plane; ++i, x += C) {
          alignas(16) std::uint8_t edge[kStrip] = {};
          if (width < kStrip) copy_values(edge, x, width);
          widen_strip(width < kStrip ? edge : x, here);
          for (int p = 0; p < kParts; ++p) sums.part[p] += here.part[p];
        }
        for (Ints& part : sums.part) {
          const Floats product = __builtin_convertvector(part, Floats) * a.multiplier;
          part = clamp_round(product, lowest, highest) + a.y_zero;
        }
        std::uint8_t to[kStrip];
        narrow_strip(sums, to);
        copy_values(a.y.as<std::uint8_t>() + n * C + c, to, width);
      }
    }
  });
}

#include "tensor/backend/cpu/isa_end.h"
