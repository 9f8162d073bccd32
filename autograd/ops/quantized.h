// Quantisation in training: what is stored in 8 bits at inference is rounded to the same values,
// and gradients pass straight through (Bengio et al. 2013; Jacob et al. 2018, section 3). Made of
// elementwise operations: floating dtypes, any device.
//
// Both throw for another dtype, a scale that is not normal and > 0, and shapes that do not fit.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/quantized.h"

namespace athanor {

// dequantize(quantize(x, q, dtype), q) in x's dtype and shape; in f32 the same bits. `dtype` is u8
// or i8. dx = dy where round(x / scale) + zero_point is in the range of `dtype`, else 0
Variable fake_quantize(const Variable& x, const Quantization& q, DType dtype = DType::u8);
// dequantize_per_channel(quantize_per_channel(x, scale), scale) in x's dtype: x [C, ...], scale [C]
// f32. dx[c, ...] = dy where |round(x / scale[c])| <= 127, else 0; none for scale
Variable fake_quantize_per_channel(const Variable& x, const Tensor& scale);

}  // namespace athanor
