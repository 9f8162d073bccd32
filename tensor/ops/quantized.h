// 8-bit integers: from real numbers and back, and the layers of INT8 inference on them.
//
// Activations are u8 with one scale and zero point a tensor; weights i8 with a scale an output
// channel and zero point 0; sums i32, exact (Jacob et al. 2018, section 2). Rounding is to nearest,
// halves to even, results saturate. What a result is, is defined to the bit
// (tensor/backend/quantized_args.h): the same bytes by each kernel, on each instruction set and at
// each number of threads. On the CPU; another device is an error that names operation and device.
//
// All throw for an undefined input, another dtype than said, a scale that is not normal and > 0,
// and a zero point out of the dtype's range.
#pragma once

#include <optional>

#include "tensor/base/quantization.h"
#include "tensor/ops/conv2d.h"
#include "tensor/tensor.h"

namespace athanor {

// clamp(round(x (1 / scale)) + zero_point) as `dtype`, u8 or i8, elementwise; x f32. NaN becomes
// the lowest value. Keeps x's order in memory.
Tensor quantize(const Tensor& x, const Quantization& q, DType dtype = DType::u8);
// The same as i8 in [-127, 127], each channel x[c, ...] by its scale[c], zero point 0: x [C, ...]
// f32, scale [C] f32. Throws when C differs.
Tensor quantize_per_channel(const Tensor& x, const Tensor& scale);
// scale (x - zero_point), elementwise: u8 or i8 to f32.
Tensor dequantize(const Tensor& x, const Quantization& q);
// scale[c] x[c, ...]: x [C, ...] i8, scale [C] f32. Throws when C differs.
Tensor dequantize_per_channel(const Tensor& x, const Tensor& scale);

// largest |x| / 127 of each channel of x [C, ...], f32 [C]: the scales for quantize_per_channel. A
// channel of zeros gets 1. f32; throws for x without elements or not finite.
Tensor channel_scales(const Tensor& x);

// The weight of a quantised linear layer or convolution, packed once for the CPU's instructions,
// with all that depends on it alone. Immutable; copies share memory; safe on several threads.
class QuantizedWeight {
 public:
  // w i8 [O, I] or [O, I / groups, kH, kW]; scale f32 [O]; bias f32 [O] or undefined, which is
  // rounded to multiples of input.scale scale[o] (Jacob et al. 2018, section 2.4); `input` is how x
  // is quantised, u8. Of `options`, relu is for QuantizedOutput instead, and must be false. Throws
  // when a shape does not fit, or when a sum could leave 32 bits: 255 sum |w[o, ...]| + |bias|.
  QuantizedWeight(const Tensor& w, const Tensor& scale, const Tensor& bias,
                  const Quantization& input, const Conv2dOptions& options = {});

  const Tensor& weight() const { return weight_; }  // as given
  const Tensor& scale() const { return scale_; }
  const Quantization& input() const { return input_; }
  const Conv2dOptions& options() const { return options_; }
  // b[o], i32 [O]: round(bias / (input.scale scale[o]))
  const Tensor& bias() const { return bias_; }
  // b[o] - input.zero_point * sum of w[o, ...], i32 [O]
  const Tensor& offset() const { return offset_; }
  const Tensor& packed() const { return packed_; }  // u8 bytes for the fast kernels

 private:
  Tensor weight_, scale_, bias_, offset_, packed_;
  Quantization input_;
  Conv2dOptions options_;
};

// What the sums s become. With `quantization`, u8: round(s input.scale scale[o] / its scale) + its
// zero point; without, f32: s input.scale scale[o]. With relu, negative results become 0.
struct QuantizedOutput {
  std::optional<Quantization> quantization = {};
  bool relu = false;
};

// s[..., o] = b[o] + sum over i of w[o, i] (x[..., i] - input.zero_point): x u8 [..., I], w of rank
// 2 -> [..., O] u8 or f32, by `output`. Throws when a shape does not fit.
Tensor quantized_linear(const Tensor& x, const QuantizedWeight& w, const QuantizedOutput& output);

// conv2d of x - input.zero_point, u8 [N, I, H, W], by w of rank 4 and its options, the padding
// being real 0 -> [N, O, H', W'] u8 or f32, by `output`; errors and layout as of conv2d.
Tensor quantized_conv2d(const Tensor& x, const QuantizedWeight& w, const QuantizedOutput& output);
// max_pool2d of that over windows of 2 x 2 that do not overlap, [N, O, H' / 2, W' / 2], in the same
// pass. Throws unless H' and W' are even.
Tensor quantized_conv2d_max_pool2d(const Tensor& x, const QuantizedWeight& w,
                                   const QuantizedOutput& output);

// a + b, elementwise, of u8 tensors of one shape quantised by qa and qb, as u8 by qy; negative sums
// become 0 with `relu`. In fixed point: each real factor qa.scale / qy.scale is rounded to a
// multiple of 2^-shift, with 22 bits for the larger of the two. Throws when that is 2^20 or more,
// and when shapes differ.
Tensor quantized_add(const Tensor& a, const Quantization& qa, const Tensor& b,
                     const Quantization& qb, const Quantization& qy, bool relu = false);

// The mean of each plane of x u8 [N, C, H, W], quantised by qx, as u8 [N, C, 1, 1] by qy. Throws
// for a plane that is empty or has 2^23 or more elements.
Tensor quantized_global_avg_pool2d(const Tensor& x, const Quantization& qx, const Quantization& qy);

}  // namespace athanor
