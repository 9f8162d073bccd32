#include "tensor/ops/quantized.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/ops/layout.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

constexpr DTypeSet kBytes{DType::u8, DType::i8};

void check_cpu(const char* op, const Tensor& t) {
  if (t.device().type != DeviceType::cpu) {
    fail(op, "expected tensors on the CPU, where INT8 inference runs, got ", describe(t));
  }
}

void check_input(const char* op, const char* argument, const Tensor& t, DTypeSet dtypes,
                 const char* expected) {
  check_dtype(op, argument, t, dtypes, expected);
  check_cpu(op, t);
}

// scale [C] of x [C, ...], contiguous.
Tensor checked_scales(const char* op, const Tensor& x, const Tensor& scale) {
  check_input(op, "scale", scale, {DType::f32}, "dtype f32");
  check_same_device(op, x, scale);
  if (x.rank() < 1 || !(scale.shape() == Shape{x.shape()[0]})) {
    fail(op, "expected scale [C] of x [C, ...], got ", describe(scale), " and ", describe(x));
  }
  const Tensor plain = contiguous(scale);
  for (std::int64_t i = 0; i < plain.numel(); ++i) check_scale(op, plain.data<float>()[i]);
  return plain;
}

Tensor scale_tensor(const Quantization& q) { return from_values<float>({q.scale}, {1}); }

// A copy without gaps where x has some; else x in its own order.
Tensor without_gaps(const Tensor& x) { return x.is_dense() ? x : contiguous(x); }

// A dense tensor's elements in the order of memory.
Tensor in_memory_order(const Tensor& t) {
  return Tensor(t.storage(), Shape{t.numel()}, Strides{1}, t.offset(), t.dtype());
}

Tensor quantized(const char* op, const Tensor& x, const Tensor& scale, std::int32_t zero_point,
                 std::int32_t lowest, std::int32_t highest, DType dtype) {
  Tensor y = empty_like(x, dtype);
  if (x.numel() == 0) return y;
  const Tensor from = in_memory_order(x), to = in_memory_order(y);
  launch(op, &Kernels::quantize, x.dtype(), x.device(),
         QuantizeArgs{operand(from), operand(scale), operand(to), zero_point, lowest, highest});
  return y;
}

Tensor dequantized(const char* op, const Tensor& x, const Tensor& scale, std::int32_t zero_point) {
  Tensor y = empty_like(x, DType::f32);
  if (x.numel() == 0) return y;
  const Tensor from = in_memory_order(x), to = in_memory_order(y);
  launch(op, &Kernels::dequantize, x.dtype(), x.device(),
         DequantizeArgs{operand(from), operand(scale), operand(to), zero_point});
  return y;
}

}  // namespace

Tensor quantize(const Tensor& x, const Quantization& q, DType dtype) {
  check_input("quantize", "x", x, {DType::f32}, "dtype f32");
  if (!kBytes.contains(dtype)) fail("quantize", "expected to get u8 or i8, got ", dtype);
  check_quantization("quantize", q, dtype);
  const std::int32_t lowest = lowest_step(dtype);
  return quantized("quantize", without_gaps(x), scale_tensor(q), q.zero_point, lowest, lowest + 255,
                   dtype);
}

Tensor quantize_per_channel(const Tensor& x, const Tensor& scale) {
  constexpr const char* op = "quantize_per_channel";
  check_input(op, "x", x, {DType::f32}, "dtype f32");
  const Tensor scales = checked_scales(op, x, scale);
  return quantized(op, contiguous(x), scales, 0, -127, 127, DType::i8);
}

Tensor dequantize(const Tensor& x, const Quantization& q) {
  check_input("dequantize", "x", x, kBytes, "dtype u8 or i8");
  check_quantization("dequantize", q, x.dtype());
  return dequantized("dequantize", without_gaps(x), scale_tensor(q), q.zero_point);
}

Tensor dequantize_per_channel(const Tensor& x, const Tensor& scale) {
  constexpr const char* op = "dequantize_per_channel";
  check_input(op, "x", x, {DType::i8}, "dtype i8");
  const Tensor scales = checked_scales(op, x, scale);
  return dequantized(op, contiguous(x), scales, 0);
}

Tensor channel_scales(const Tensor& x) {
  constexpr const char* op = "channel_scales";
  check_input(op, "x", x, {DType::f32}, "dtype f32");
  if (x.rank() < 1 || x.numel() == 0) {
    fail(op, "expected x [C, ...] with elements, got ", describe(x));
  }
  const Tensor plain = contiguous(x);
  const std::int64_t channels = x.shape()[0], inner = x.numel() / channels;
  Tensor scale = empty({channels});
  for (std::int64_t c = 0; c < channels; ++c) {
    float most = 0;
    const float* from = plain.data<float>() + c * inner;
    for (std::int64_t i = 0; i < inner; ++i) {
      if (!std::isfinite(from[i])) fail(op, "expected finite values, got ", from[i]);
      most = std::max(most, std::abs(from[i]));
    }
    // Below the smallest normal number a quotient would lose digits or be infinite.
    const float step = most / 127;
    scale.data<float>()[c] = step >= std::numeric_limits<float>::min() ? step : 1.0f;
  }
  return scale;
}

QuantizedWeight::QuantizedWeight(const Tensor& w, const Tensor& scale, const Tensor& bias,
                                 const Quantization& input, const Conv2dOptions& options)
    : input_(input), options_(options) {
  constexpr const char* op = "quantized_weight";
  check_input(op, "w", w, {DType::i8}, "dtype i8");
  if (w.rank() != 2 && w.rank() != 4) {
    fail(op, "expected w [O, I] or [O, I / groups, kH, kW], got ", describe(w));
  }
  if (w.numel() == 0) fail(op, "expected w with at least one element, got ", describe(w));
  const std::int64_t O = w.shape()[0], inner = w.numel() / O;
  if (options.groups < 1 || O % options.groups != 0 || (w.rank() == 2 && options.groups != 1)) {
    fail(op, "expected groups that divide O, and 1 for w [O, I], got ", options.groups, " for ",
         describe(w));
  }
  if (options.relu) fail(op, "expected options without relu, which QuantizedOutput has, got true");
  check_quantization(op, input, DType::u8);
  weight_ = contiguous(w);
  scale_ = checked_scales(op, w, scale);
  Tensor real_bias;
  if (bias.defined()) {
    check_input(op, "bias", bias, {DType::f32}, "dtype f32");
    check_same_device(op, w, bias);
    if (!(bias.shape() == Shape{O})) {
      fail(op, "expected bias [", O, "], got ", describe(bias));
    }
    real_bias = contiguous(bias);
  }
  bias_ = empty({O}, DType::i32);
  offset_ = empty({O}, DType::i32);
  for (std::int64_t o = 0; o < O; ++o) {
    const std::int8_t* row = weight_.data<std::int8_t>() + o * inner;
    std::int64_t sum = 0, size = 0;
    for (std::int64_t i = 0; i < inner; ++i) sum += row[i], size += std::abs(row[i]);
    const double step = double(input.scale) * double(scale_.data<float>()[o]);
    const double b = bias.defined() ? std::nearbyint(real_bias.data<float>()[o] / step) : 0;
    const double most = std::abs(b) + 255.0 * static_cast<double>(size);
    if (!(most <= std::numeric_limits<std::int32_t>::max())) {
      fail(op, "expected sums below 2^31, got up to ", most, " in channel ", o, ": bias of ", b,
           " steps, ", inner, " products; a larger scale makes both smaller");
    }
    bias_.data<std::int32_t>()[o] = static_cast<std::int32_t>(b);
    offset_.data<std::int32_t>()[o] =
        static_cast<std::int32_t>(static_cast<std::int64_t>(b) - input.zero_point * sum);
  }
  const Tensor image = w.rank() == 4 ? weight_ : reshape(weight_, {O, inner, 1, 1});
  std::int64_t bytes = 0;
  PackQuantizedArgs args{options.dilation, options.groups, operand(image), {}, &bytes};
  cpu_kernels().pack_quantized.run(args);
  packed_ = empty({bytes}, DType::u8);
  args.packed = operand(packed_);
  cpu_kernels().pack_quantized.run(args);
}

namespace {

void check_output(const char* op, const QuantizedOutput& output) {
  if (output.quantization) check_quantization(op, *output.quantization, DType::u8);
}

DType dtype_of(const QuantizedOutput& output) {
  return output.quantization ? DType::u8 : DType::f32;
}

// x [N, I, H, W] -> y, both in N, H, W, C order, of which a linear layer is a case.
void convolve(const char* op, const Tensor& x, const QuantizedWeight& w, const Tensor& image_weight,
              const QuantizedOutput& output, bool pool, const Tensor& y) {
  const std::int64_t O = image_weight.shape()[0];
  Tensor multiplier = empty({O});
  const float* scale = w.scale().data<float>();
  const double step =
      double(w.input().scale) / (output.quantization ? double(output.quantization->scale) : 1.0);
  for (std::int64_t o = 0; o < O; ++o) {
    multiplier.data<float>()[o] = static_cast<float>(step * double(scale[o]));
  }
  const Conv2dOptions& options = w.options();
  const Conv2dArgs conv{
      options.stride,        options.padding,   options.dilation, options.groups, operand(x),
      operand(image_weight), operand(w.bias()), operand(y),       output.relu,    pool};
  launch(op, &Kernels::quantized_conv2d, x.dtype(), x.device(),
         QuantizedConv2dArgs{conv, operand(w.packed()), operand(w.offset()), operand(multiplier),
                             w.input().zero_point,
                             output.quantization ? output.quantization->zero_point : 0});
}

Tensor convolved(const char* op, const Tensor& x, const QuantizedWeight& w,
                 const QuantizedOutput& output, bool pool) {
  check_input(op, "x", x, {DType::u8}, "dtype u8");
  check_same_device(op, x, w.weight());
  check_output(op, output);
  if (w.weight().rank() != 4) {
    fail(op, "expected a weight [O, I / groups, kH, kW], got ", describe(w.weight()));
  }
  Shape shape = conv2d_shape(op, x.shape(), w.weight().shape(), w.options());
  if (pool) {
    if (shape[2] % 2 != 0 || shape[3] % 2 != 0) {
      fail(op, "expected an even height and width to pool, got ", shape);
    }
    shape = {shape[0], shape[1], shape[2] / 2, shape[3] / 2};
  }
  const Tensor y = empty_channels_last(shape, dtype_of(output), x.device());
  if (y.numel() == 0) return y;
  convolve(op, activation_layout(x), w, w.weight(), output, pool, y);
  return y;
}

}  // namespace

Tensor quantized_linear(const Tensor& x, const QuantizedWeight& w, const QuantizedOutput& output) {
  constexpr const char* op = "quantized_linear";
  check_input(op, "x", x, {DType::u8}, "dtype u8");
  check_same_device(op, x, w.weight());
  check_output(op, output);
  if (w.weight().rank() != 2) fail(op, "expected a weight [O, I], got ", describe(w.weight()));
  const std::int64_t O = w.weight().shape()[0], I = w.weight().shape()[1];
  if (x.rank() < 1 || x.shape()[x.rank() - 1] != I) {
    fail(op, "expected x [..., ", I, "], got ", describe(x));
  }
  Shape shape = x.shape();
  shape[x.rank() - 1] = O;
  const Tensor y = empty(shape, dtype_of(output), x.device());
  if (y.numel() == 0) return y;
  const Tensor rows = contiguous(x);
  const std::int64_t count = x.numel() / I;
  // As an image of one row, whose pixels are the rows of x.
  const auto image = [count](const Tensor& t, std::int64_t channels) {
    return as_strided(t, {1, channels, 1, count}, {count * channels, 1, count * channels, channels},
                      0);
  };
  convolve(op, image(rows, I), w, reshape(w.weight(), {O, I, 1, 1}), output, false, image(y, O));
  return y;
}

Tensor quantized_conv2d(const Tensor& x, const QuantizedWeight& w, const QuantizedOutput& output) {
  return convolved("quantized_conv2d", x, w, output, false);
}

Tensor quantized_conv2d_max_pool2d(const Tensor& x, const QuantizedWeight& w,
                                   const QuantizedOutput& output) {
  return convolved("quantized_conv2d_max_pool2d", x, w, output, true);
}

Tensor quantized_add(const Tensor& a, const Quantization& qa, const Tensor& b,
                     const Quantization& qb, const Quantization& qy, bool relu) {
  constexpr const char* op = "quantized_add";
  check_input(op, "a", a, {DType::u8}, "dtype u8");
  check_input(op, "b", b, {DType::u8}, "dtype u8");
  check_same_device(op, a, b);
  for (const Quantization& q : {qa, qb, qy}) check_quantization(op, q, DType::u8);
  if (!(a.shape() == b.shape())) {
    fail(op, "expected two tensors of one shape, got ", describe(a), " and ", describe(b));
  }
  const double a_ratio = double(qa.scale) / double(qy.scale);
  const double b_ratio = double(qb.scale) / double(qy.scale);
  int exponent = 0;  // larger ratio < 2^exponent
  std::frexp(std::max(a_ratio, b_ratio), &exponent);
  const int shift = std::min(22 - exponent, 22);
  if (shift < 2) {
    fail(op, "expected scales of a and b below 2^20 times that of the result, got ", qa, " and ",
         qb, " for ", qy);
  }
  const auto factor = [shift](double ratio) {
    return static_cast<std::int32_t>(std::nearbyint(std::ldexp(ratio, shift)));
  };
  Tensor y = empty_like(a);
  if (a.numel() == 0) return y;
  const auto in_order = [&y](const Tensor& t) {
    if (t.strides() == y.strides()) return in_memory_order(t);
    Tensor copy = empty_like(y);
    copy_(copy, t);
    return in_memory_order(copy);
  };
  const Tensor x = in_order(a), z = in_order(b), to = in_memory_order(y);
  launch(op, &Kernels::quantized_add, a.dtype(), a.device(),
         QuantizedAddArgs{operand(x), operand(z), operand(to), qa.zero_point, qb.zero_point,
                          qy.zero_point, factor(a_ratio), factor(b_ratio), shift, relu});
  return y;
}

Tensor quantized_global_avg_pool2d(const Tensor& x, const Quantization& qx,
                                   const Quantization& qy) {
  constexpr const char* op = "quantized_global_avg_pool2d";
  check_input(op, "x", x, {DType::u8}, "dtype u8");
  for (const Quantization& q : {qx, qy}) check_quantization(op, q, DType::u8);
  const std::int64_t plane = x.rank() == 4 ? x.shape()[2] * x.shape()[3] : 0;
  if (plane < 1 || plane >= std::int64_t{1} << 23) {
    fail(op, "expected x [N, C, H, W] with planes of 1 to 2^23 - 1 elements, got ", describe(x));
  }
  const Tensor y = empty_channels_last({x.shape()[0], x.shape()[1], 1, 1}, DType::u8, x.device());
  if (y.numel() == 0) return y;
  const Tensor from = activation_layout(x);
  const double multiplier = double(qx.scale) / (double(qy.scale) * static_cast<double>(plane));
  launch(op, &Kernels::quantized_avg_pool, x.dtype(), x.device(),
         QuantizedAvgPoolArgs{operand(from), operand(y), static_cast<float>(multiplier),
                              qx.zero_point, qy.zero_point});
  return y;
}

}  // namespace athanor
