#include "tensor/ops/device.h"

#include "tensor/backend/device.h"
#include "tensor/host.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/operand.h"

namespace athanor {
namespace {

// Advances the generator as the CPU's draws do.
Tensor draw(const char* op, const Shape& shape, DType dtype, Device device, RandomKind kind,
            Generator& generator, double a, double b, std::uint64_t threshold = 0) {
  if (backend_of(op, device).capturing(device.index)) {
    fail(op, "expected to run outside of a captured step: a replay would draw the same numbers");
  }
  const Tensor y = empty(shape, dtype, device);
  const auto words = static_cast<std::uint64_t>(y.numel()) * (kind == RandomKind::normal ? 2 : 1);
  if (words > 0) {
    launch(op, &Kernels::random, dtype, device,
           RandomArgs{kind, generator.seed(), generator.stream(), generator.position(), a, b,
                      threshold, operand(y)});
  }
  generator.set_position(generator.position() + words);
  return y;
}

void check_floating(const char* op, DType dtype) {
  if (!is_floating(dtype)) fail(op, "expected a floating dtype, got ", dtype);
}

}  // namespace

Tensor to(const Tensor& x, Device device) {
  check_defined("to", "x", x);
  if (x.device() == device) return x;
  if (device.type == DeviceType::cpu) return to_host(x);
  const Tensor from = x.is_dense() ? x : clone(x);
  const Tensor y(
      make_ref<Storage>(from.numel() * size_of(from.dtype()), device, from.shape(), from.dtype()),
      from.shape(), from.strides(), 0, from.dtype());
  detail::label_new_blocks("to");
  detail::transfer(from, y);
  return y;
}

Tensor full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor y = empty(shape, dtype, device);
  fill_(y, value);
  return y;
}
Tensor zeros(const Shape& shape, DType dtype, Device device) {
  return full(shape, 0, dtype, device);
}
Tensor ones(const Shape& shape, DType dtype, Device device) {
  return full(shape, 1, dtype, device);
}
Tensor scalar(double value, DType dtype, Device device) { return full({}, value, dtype, device); }

Tensor arange(std::int64_t count, DType dtype, double first, double step, Device device) {
  return to(arange(count, dtype, first, step), device);
}

Tensor random_uniform(const Shape& shape, Generator& generator, double low, double high,
                      DType dtype, Device device) {
  if (device.type == DeviceType::cpu) return random_uniform(shape, generator, low, high, dtype);
  check_floating("random_uniform", dtype);
  return draw("random_uniform", shape, dtype, device, RandomKind::uniform, generator, low, high);
}

Tensor random_normal(const Shape& shape, Generator& generator, double mean, double stddev,
                     DType dtype, Device device) {
  if (device.type == DeviceType::cpu) return random_normal(shape, generator, mean, stddev, dtype);
  check_floating("random_normal", dtype);
  return draw("random_normal", shape, dtype, device, RandomKind::normal, generator, mean, stddev);
}

Tensor random_bernoulli(const Shape& shape, Generator& generator, double p, Device device) {
  if (device.type == DeviceType::cpu) return random_bernoulli(shape, generator, p);
  if (!(p >= 0 && p <= 1)) fail("random_bernoulli", "expected p in [0, 1], got ", p);
  return draw("random_bernoulli", shape, DType::boolean, device, RandomKind::bernoulli, generator,
              0, 0, static_cast<std::uint64_t>(p * 4294967296.0));
}

}  // namespace athanor
