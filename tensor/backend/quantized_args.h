// Arguments of the kernels for quantised tensors, and the one definition of how sums are brought
// back to 8 bits.
//
// Activations are u8 with one scale and zero point a tensor, weights i8 with a scale an output
// channel and no zero point, sums i32 (Jacob et al. 2018, section 2). All arithmetic is on integers
// but one multiplication by an f32 factor, whose order of operations is fixed here: each kernel
// gives the same bytes as the reference, on every instruction set and at every number of threads.
#pragma once

#include <cmath>

#include "tensor/backend/conv_args.h"

namespace athanor {

// y = clamp(round(x (1 / scale)) + zero_point, lowest, highest), halves to even; quotient and
// product are rounded to f32; NaN becomes lowest. x f32 and y u8 or i8, contiguous, of equal sizes;
// scale f32 [C], the axes before the rest of x hold C channels, or one scale for all. Decided by
// x's dtype.
struct QuantizeArgs {
  Operand x, scale, y;
  std::int32_t zero_point, lowest, highest;
};

// y = scale (x - zero_point): x u8 or i8, y f32, layout as above. Decided by x's dtype.
struct DequantizeArgs {
  Operand x, scale, y;
  std::int32_t zero_point;
};

// The layout that a CPU's fast kernels multiply: `packed`, from w i8 [O, I / groups, kH, kW],
// contiguous, for convolutions of that dilation and number of groups. Without packed.data, nothing
// is written but the number of bytes that `packed` needs. Decided by w's dtype.
struct PackQuantizedArgs {
  Size2 dilation;
  std::int64_t groups;
  Operand w, packed;
  std::int64_t* bytes;
};

// With s[n, o, i, j] = b[o] + sum over c, p, q of w[o, c, p, q] (x[n, c', ...] - x_zero_point),
// places as in Conv2dArgs and x = x_zero_point in the padding:
//   y u8   requantize(s, multiplier[o], y_zero_point, relu)
//   y f32  s multiplier[o], then max(., 0) if relu
// and, with conv.pool, the largest of each 2 x 2 window of that. conv: x u8 and y in N, H, W, C
// order, w i8 [O, I / groups, kH, kW] row-major, b i32 [O]. packed: what pack_quantized made of w.
// offset i32 [O]: b[o] - x_zero_point (sum of w[o, ...]). No sum leaves 32 bits: the op has
// checked. Decided by x's dtype.
struct QuantizedConv2dArgs {
  Conv2dArgs conv;
  Operand packed, offset, multiplier;
  std::int32_t x_zero_point, y_zero_point;
};

// y = clamp(((a - a_zero) a_factor + (b - b_zero) b_factor + 2^(shift - 1) >> shift) + y_zero), a
// sum of two tensors of other scales in fixed point; all u8, contiguous. With relu at least y_zero.
// Decided by a's dtype.
struct QuantizedAddArgs {
  Operand a, b, y;
  std::int32_t a_zero, b_zero, y_zero, a_factor, b_factor;
  int shift;
  bool relu;
};

// y[n, c] = requantize(sum of (x[n, c, ...] - x_zero) over the plane, multiplier, y_zero, false);
// x u8 [N, C, H, W] in N, H, W, C order, y u8 [N, C, 1, 1]. Decided by x's dtype.
struct QuantizedAvgPoolArgs {
  Operand x, y;
  float multiplier;
  std::int32_t x_zero, y_zero;
};

// A sum with scale s as u8 with scale s / multiplier: round(sum multiplier) + zero_point, halves to
// even, in [0, 255], and not below zero_point with relu (Jacob et al. 2018, equations 5 and 6; the
// factor in f32 as in FBGEMM, Khudia et al. 2021). sum is rounded to f32, the product once more.
inline std::uint8_t requantize(std::int32_t sum, float multiplier, std::int32_t zero_point,
                               bool relu) {
  const float lowest = relu ? 0.0f : static_cast<float>(-zero_point);
  const float highest = static_cast<float>(255 - zero_point);
  float value = static_cast<float>(sum) * multiplier;
  value = value < lowest ? lowest : value;
  value = value > highest ? highest : value;
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(std::nearbyint(value)) + zero_point);
}

}  // namespace athanor
