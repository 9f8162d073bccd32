#include "tensor/ops/pool2d.h"

#include <limits>

#include "tensor/ops/copy.h"
#include "tensor/ops/layout.h"
#include "tensor/ops/operand.h"

namespace athanor {
namespace {

Pool2dOptions resolve(const char* op, Pool2dOptions o) {
  if (o.stride.h == 0) o.stride.h = o.kernel.h;
  if (o.stride.w == 0) o.stride.w = o.kernel.w;
  if (o.kernel.h < 1 || o.kernel.w < 1) fail(op, "expected kernel >= 1, got ", o.kernel);
  if (o.stride.h < 1 || o.stride.w < 1) fail(op, "expected stride >= 0, got ", o.stride);
  if (o.padding.h < 0 || o.padding.w < 0 || 2 * o.padding.h > o.kernel.h ||
      2 * o.padding.w > o.kernel.w) {
    fail(op, "expected padding in [0, kernel / 2], got ", o.padding, " with kernel ", o.kernel);
  }
  return o;
}

// Shape of the result for resolved options.
Shape result_shape(const char* op, const Shape& x, const Pool2dOptions& o) {
  if (x.size() != 4) fail(op, "expected x [N, C, H, W], got shape ", x);
  const std::int64_t h = x[2] + 2 * o.padding.h, w = x[3] + 2 * o.padding.w;
  if (h < o.kernel.h || w < o.kernel.w) {
    fail(op, "expected a padded plane of at least the kernel's size ", o.kernel, ", got ",
         Size2(h, w), " (x ", x, ")");
  }
  if (x[2] > std::numeric_limits<std::int32_t>::max() / (x[3] + 1)) {
    fail(op, "expected a plane of fewer than 2^31 elements, got x ", x);
  }
  return {x[0], x[1], (h - o.kernel.h) / o.stride.h + 1, (w - o.kernel.w) / o.stride.w + 1};
}

void check_shape(const char* op, const char* argument, const Tensor& t, const Shape& expected) {
  if (!(t.shape() == expected)) {
    fail(op, "expected ", argument, " of shape ", expected, ", got ", describe(t));
  }
}

void check_index(const char* op, const Tensor& x, const Tensor& index, const Shape& expected) {
  check_dtype(op, "index", index, {DType::i32}, "i32");
  check_same_device(op, x, index);
  check_shape(op, "index", index, expected);
}

void run(const char* op, Kernel<Pool2dArgs> Kernels::*entry, const Tensor& x, const Tensor& y,
         const Tensor& index, const Pool2dOptions& o) {
  if (x.numel() == 0) return;
  launch(op, entry, x.dtype(), x.device(),
         Pool2dArgs{o.kernel, o.stride, o.padding, operand(x), operand(y),
                    index.defined() ? operand(index) : Operand{}});
}

MaxPool2dResult largest(const Tensor& x, const Pool2dOptions& options, bool with_index) {
  constexpr DTypeSet kPooled{DType::f32, DType::f64, DType::f16, DType::bf16, DType::u8};
  check_dtype("max_pool2d", "x", x, kPooled, "a floating dtype or u8");
  const Pool2dOptions o = resolve("max_pool2d", options);
  const Shape shape = result_shape("max_pool2d", x.shape(), o);
  MaxPool2dResult result{empty_channels_last(shape, x.dtype(), x.device()), {}};
  if (with_index) result.index = empty_channels_last(shape, DType::i32, x.device());
  const Tensor from = activation_layout(x);
  run("max_pool2d", &Kernels::max_pool2d, from, result.y, result.index, o);
  return result;
}

}  // namespace

bool pools_pairs(const Tensor& x, const Shape& plane, const Pool2dOptions& pool) {
  const Size2 two(2), stride(pool.stride.h == 0 ? pool.kernel.h : pool.stride.h,
                             pool.stride.w == 0 ? pool.kernel.w : pool.stride.w);
  return x.defined() && x.device().type == DeviceType::cpu && plane.size() == 4 &&
         pool.kernel == two && stride == two && pool.padding == Size2(0) && plane[2] % 2 == 0 &&
         plane[3] % 2 == 0 && plane[2] > 0 && plane[3] > 0 &&
         plane[2] <= std::numeric_limits<std::int32_t>::max() / (plane[3] + 1);
}

MaxPool2dResult max_pool2d_with_index(const Tensor& x, const Pool2dOptions& options) {
  return largest(x, options, true);
}

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  return largest(x, options, false).y;
}

Tensor max_pool2d_backward(const Tensor& dy, const Tensor& index, const Shape& x_shape,
                           const Pool2dOptions& options) {
  constexpr const char* op = "max_pool2d_backward";
  check_dtype(op, "dy", dy, kRealDTypes, "a floating dtype");
  const Pool2dOptions o = resolve(op, options);
  const Shape shape = result_shape(op, x_shape, o);
  check_shape(op, "dy", dy, shape);
  check_index(op, dy, index, shape);
  const Tensor dx = empty_channels_last(x_shape, dy.dtype(), dy.device());
  const Tensor from = activation_layout(dy), places = channels_last(index);
  run(op, &Kernels::max_pool2d_backward, dx, from, places, o);
  return dx;
}

Tensor max_pool2d_gather(const Tensor& x, const Tensor& index, const Pool2dOptions& options) {
  constexpr const char* op = "max_pool2d_gather";
  check_dtype(op, "x", x, kRealDTypes, "a floating dtype");
  const Pool2dOptions o = resolve(op, options);
  const Shape shape = result_shape(op, x.shape(), o);
  check_index(op, x, index, shape);
  const Tensor y = empty_channels_last(shape, x.dtype(), x.device());
  const Tensor from = activation_layout(x), places = channels_last(index);
  run(op, &Kernels::max_pool2d_gather, from, y, places, o);
  return y;
}

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  check_dtype("avg_pool2d", "x", x, kRealDTypes, "a floating dtype");
  const Pool2dOptions o = resolve("avg_pool2d", options);
  const Tensor y =
      empty_channels_last(result_shape("avg_pool2d", x.shape(), o), x.dtype(), x.device());
  const Tensor from = activation_layout(x);
  run("avg_pool2d", &Kernels::avg_pool2d, from, y, {}, o);
  return y;
}

Tensor avg_pool2d_backward(const Tensor& dy, const Shape& x_shape, const Pool2dOptions& options) {
  constexpr const char* op = "avg_pool2d_backward";
  check_dtype(op, "dy", dy, kRealDTypes, "a floating dtype");
  const Pool2dOptions o = resolve(op, options);
  check_shape(op, "dy", dy, result_shape(op, x_shape, o));
  const Tensor dx = empty_channels_last(x_shape, dy.dtype(), dy.device());
  const Tensor from = activation_layout(dy);
  run(op, &Kernels::avg_pool2d_backward, dx, from, {}, o);
  return dx;
}

Tensor global_avg_pool2d(const Tensor& x) {
  check_defined("global_avg_pool2d", "x", x);
  if (x.rank() != 4 || x.shape()[2] == 0 || x.shape()[3] == 0) {
    fail("global_avg_pool2d", "expected x [N, C, H, W] with H, W >= 1, got ", describe(x));
  }
  return avg_pool2d(x, {.kernel = {x.shape()[2], x.shape()[3]}});
}

}  // namespace athanor
