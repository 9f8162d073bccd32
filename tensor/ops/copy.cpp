#include "tensor/ops/copy.h"

#include <algorithm>
#include <atomic>

#include "tensor/base/sizes.h"
#include "tensor/ops/device.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

std::atomic<std::int64_t> contiguous_copies{0};

void run_fill(const char* op, const Tensor& y, double value) {
  check_scalar(op, value, y.dtype());
  if (y.numel() == 0) return;
  launch(op, &Kernels::fill, y.dtype(), y.device(), FillArgs{operand(y), value});
}

void run_copy(const char* op, const Tensor& x, const Tensor& y) {
  if (y.numel() == 0) return;
  launch(op, &Kernels::copy, x.dtype(), x.device(), CopyArgs{operand(x), operand(y)});
}

}  // namespace

Tensor full(const Shape& shape, double value, DType dtype) {
  check_sizes("full", shape);
  Tensor y = empty(shape, dtype);
  run_fill("full", y, value);
  return y;
}

Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor scalar(double value, DType dtype) { return full({}, value, dtype); }

Tensor full_like(const Tensor& like, double value) {
  check_defined("full_like", "like", like);
  Tensor y = empty_like(like);
  run_fill("full_like", y, value);
  return y;
}

Tensor zeros_like(const Tensor& like) { return full_like(like, 0); }
Tensor ones_like(const Tensor& like) { return full_like(like, 1); }

Tensor arange(std::int64_t count, DType dtype, double first, double step) {
  if (count < 0) fail("arange", "expected count >= 0, got ", count);
  if (count > 0) check_scalar("arange", first, dtype);
  if (count > 1) {
    check_scalar("arange", first + step, dtype);
    check_scalar("arange", first + step * static_cast<double>(count - 1), dtype);
  }
  Tensor y = empty({count}, dtype);
  detail::label_new_blocks("arange");
  visit(dtype, [&]<class T>(Tag<T>) {
    T* values = y.data<T>();
    for (std::int64_t i = 0; i < count; ++i) {
      values[i] = static_cast<T>(static_cast<compute_t<T>>(first + step * static_cast<double>(i)));
    }
  });
  return y;
}

Tensor linspace(double first, double last, std::int64_t count, DType dtype) {
  if (count < 0) fail("linspace", "expected count >= 0, got ", count);
  if (!is_floating(dtype)) fail("linspace", "expected a floating dtype, got ", dtype);
  Tensor y = empty({count}, dtype);
  detail::label_new_blocks("linspace");
  visit(dtype, [&]<class T>(Tag<T>) {
    T* values = y.data<T>();
    for (std::int64_t i = 0; i < count; ++i) {
      // Both ends are met exactly.
      const double share = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0;
      values[i] = static_cast<T>(static_cast<compute_t<T>>(first * (1 - share) + last * share));
    }
  });
  return y;
}

Tensor eye(std::int64_t n, std::int64_t m, DType dtype) {
  if (m == -1) m = n;
  if (n < 0 || m < 0) fail("eye", "expected sizes >= 0, got ", n, " and ", m);
  check_sizes("eye", {n, m});
  Tensor y = zeros({n, m}, dtype);
  const std::int64_t count = std::min(n, m);
  if (count == 0) return y;
  Tensor diagonal = slice(reshape(y, {n * m}), 0, 0, (count - 1) * (m + 1) + 1, m + 1);
  run_fill("eye", diagonal, 1);
  return y;
}

Tensor clone(const Tensor& x) {
  check_defined("clone", "x", x);
  Tensor y = empty_like(x);
  run_copy("clone", x, y);
  return y;
}

Tensor contiguous(const Tensor& x) {
  check_defined("contiguous", "x", x);
  if (x.is_contiguous()) return x;
  contiguous_copies.fetch_add(1, std::memory_order_relaxed);
  Tensor y = empty(x.shape(), x.dtype(), x.device());
  run_copy("contiguous", x, y);
  return y;
}

std::int64_t contiguous_count() { return contiguous_copies.load(std::memory_order_relaxed); }

Tensor channels_last(const Tensor& x) {
  check_defined("channels_last", "x", x);
  if (x.rank() != 4) fail("channels_last", "expected rank 4, got ", describe(x));
  if (x.is_channels_last()) return x;
  Tensor y = empty_channels_last(x.shape(), x.dtype(), x.device());
  run_copy("channels_last", x, y);
  return y;
}

Tensor cast(const Tensor& x, DType dtype) {
  check_defined("cast", "x", x);
  if (x.dtype() == dtype) return x;
  Tensor y = empty_like(x, dtype);
  run_copy("cast", x, y);
  return y;
}

void fill_(Tensor& y, double value) {
  check_defined("fill_", "y", y);
  run_fill("fill_", y, value);
  y.bump_version("fill_");
}

void copy_(Tensor& y, const Tensor& x) {
  check_defined("copy_", "y", y);
  check_defined("copy_", "x", x);
  check_broadcasts_to("copy_", x.shape(), y.shape());
  const Tensor from = expand(to(x, y.device()), y.shape());
  run_copy("copy_", from, y);
  y.bump_version("copy_");
}

}  // namespace athanor
