#include "tensor/ops/conv2d.h"

#include "tensor/ops/copy.h"
#include "tensor/ops/layout.h"
#include "tensor/ops/operand.h"

namespace athanor {
namespace {

void check_input(const char* op, const char* argument, const Tensor& t, const Tensor& like) {
  check_dtype(op, argument, t, kRealDTypes, "a floating dtype");
  check_same_device(op, t, like);
  if (t.dtype() != like.dtype()) {
    fail(op, "expected ", argument, " of dtype ", like.dtype(), ", got ", describe(t));
  }
}

void check_options(const char* op, const Conv2dOptions& o) {
  if (o.stride.h < 1 || o.stride.w < 1) fail(op, "expected stride >= 1, got ", o.stride);
  if (o.padding.h < 0 || o.padding.w < 0) fail(op, "expected padding >= 0, got ", o.padding);
  if (o.dilation.h < 1 || o.dilation.w < 1) fail(op, "expected dilation >= 1, got ", o.dilation);
  if (o.groups < 1) fail(op, "expected groups >= 1, got ", o.groups);
}

std::int64_t output_size(const char* op, std::int64_t in, std::int64_t kernel, std::int64_t stride,
                         std::int64_t padding, std::int64_t dilation) {
  const std::int64_t extent = dilation * (kernel - 1) + 1;
  if (in + 2 * padding < extent) {
    fail(op, "expected a padded input of at least the kernel's extent ", extent, ", got ", in,
         " + 2 * ", padding);
  }
  return (in + 2 * padding - extent) / stride + 1;
}

void check_result(const char* op, const Tensor& dy, const Shape& expected) {
  if (!(dy.shape() == expected)) {
    fail(op, "expected dy of shape ", expected, ", got ", describe(dy));
  }
}

Conv2dArgs args_of(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& y,
                   const Conv2dOptions& o) {
  return {o.stride,
          o.padding,
          o.dilation,
          o.groups,
          operand(x),
          operand(w),
          b.defined() ? operand(b) : Operand{},
          operand(y)};
}

// max_pool2d of the result with a `pool`.
Tensor convolved(const Tensor& x, const Tensor& w, const Tensor& b, const Conv2dOptions& options,
                 const Pool2dOptions* pool) {
  check_dtype("conv2d", "x", x, kRealDTypes, "a floating dtype");
  check_input("conv2d", "w", w, x);
  Shape shape = conv2d_shape("conv2d", x.shape(), w.shape(), options);
  if (b.defined()) {
    check_input("conv2d", "b", b, x);
    if (!(b.shape() == Shape{w.shape()[0]})) {
      fail("conv2d", "expected b [", w.shape()[0], "], got ", describe(b));
    }
  }
  const bool pooled =
      pool && options.groups == 1 && options.dilation == Size2(1) && pools_pairs(x, shape, *pool);
  if (pool && !pooled) return max_pool2d(convolved(x, w, b, options, nullptr), *pool);
  if (pooled) shape = {shape[0], shape[1], shape[2] / 2, shape[3] / 2};
  const Tensor y = empty_channels_last(shape, x.dtype(), x.device());
  if (y.numel() == 0) return y;
  const Tensor from = activation_layout(x), weight = contiguous(w);
  const Tensor bias = b.defined() ? contiguous(b) : b;
  Conv2dArgs args = args_of(from, weight, bias, y, options);
  args.relu = options.relu;
  args.pool = pooled;
  launch("conv2d", &Kernels::conv2d, x.dtype(), x.device(), args);
  return y;
}

}  // namespace

Shape conv2d_shape(const char* op, const Shape& x, const Shape& w, const Conv2dOptions& o) {
  check_options(op, o);
  if (x.size() != 4) fail(op, "expected x [N, C, H, W], got shape ", x);
  if (w.size() != 4) fail(op, "expected w [O, I / groups, kH, kW], got shape ", w);
  if (numel_of(w) == 0) fail(op, "expected w with at least one element, got shape ", w);
  if (x[1] != w[1] * o.groups || w[0] % o.groups != 0) {
    fail(op, "expected w [O, ", x[1], " / groups, kH, kW] with groups dividing O, got w ", w,
         ", x ", x, ", groups ", o.groups);
  }
  return {x[0], w[0], output_size(op, x[2], w[2], o.stride.h, o.padding.h, o.dilation.h),
          output_size(op, x[3], w[3], o.stride.w, o.padding.w, o.dilation.w)};
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, const Conv2dOptions& options) {
  return convolved(x, w, b, options, nullptr);
}

Tensor conv2d_max_pool2d(const Tensor& x, const Tensor& w, const Tensor& b,
                         const Conv2dOptions& options, const Pool2dOptions& pool) {
  return convolved(x, w, b, options, &pool);
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                             const Conv2dOptions& options) {
  constexpr const char* op = "conv2d_backward_input";
  check_dtype(op, "dy", dy, kRealDTypes, "a floating dtype");
  check_input(op, "w", w, dy);
  check_result(op, dy, conv2d_shape(op, x_shape, w.shape(), options));
  const Tensor dx = empty_channels_last(x_shape, dy.dtype(), dy.device());
  if (dx.numel() == 0) return dx;
  const Tensor from = activation_layout(dy), weight = contiguous(w);
  launch(op, &Kernels::conv2d_backward_input, dy.dtype(), dy.device(),
         args_of(dx, weight, {}, from, options));
  return dx;
}

Conv2dWeightGradients conv2d_backward_weight(const Tensor& dy, const Tensor& x,
                                             const Shape& w_shape, const Conv2dOptions& options,
                                             bool with_bias) {
  constexpr const char* op = "conv2d_backward_weight";
  check_dtype(op, "dy", dy, kRealDTypes, "a floating dtype");
  check_input(op, "x", x, dy);
  check_result(op, dy, conv2d_shape(op, x.shape(), w_shape, options));
  Conv2dWeightGradients result{empty(w_shape, dy.dtype(), dy.device()), {}};
  if (with_bias) result.db = empty({w_shape[0]}, dy.dtype(), dy.device());
  if (dy.numel() == 0) {
    fill_(result.dw, 0);
    if (with_bias) fill_(result.db, 0);
    return result;
  }
  const Tensor from = activation_layout(x), gradient = activation_layout(dy);
  launch(op, &Kernels::conv2d_backward_weight, dy.dtype(), dy.device(),
         args_of(from, result.dw, result.db, gradient, options));
  return result;
}

}  // namespace athanor
