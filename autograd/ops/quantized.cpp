#include "autograd/ops/quantized.h"

#include "autograd/node.h"
#include "tensor/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace athanor {
namespace {

void check_floating(const char* op, const Variable& x) {
  if (!x.defined() || !is_floating(x.dtype())) {
    fail(op, "expected x of a floating dtype, got ",
         x.defined() ? describe(x.tensor()) : std::string("an undefined one"));
  }
}

// `value` for x, of which `steps` is round(x / scale) + zero_point and `kept` what is stored.
Variable passed_through(const char* op, const Variable& x, Tensor value, const Tensor& steps,
                        const Tensor& kept) {
  if (!recorded({x})) return record_without_gradient(op, std::move(value), {x});
  const Tensor inside = cast(equal(steps, kept), x.dtype());
  return record(op, std::move(value), {x}, [inside](const Variable& dy, Gradients& d) {
    d.set(0, mul(dy, Variable(inside)));
  });
}

}  // namespace

Variable fake_quantize(const Variable& x, const Quantization& q, DType dtype) {
  constexpr const char* op = "fake_quantize";
  check_floating(op, x);
  if (dtype != DType::u8 && dtype != DType::i8) {
    fail(op, "expected to round to u8 or i8, got ", dtype);
  }
  check_quantization(op, q, dtype);
  const std::int32_t lowest = lowest_step(dtype);
  const Tensor steps = add(round(mul(x.tensor(), 1.0f / q.scale)), q.zero_point);
  const Tensor kept = clamp(steps, lowest, lowest + 255);
  return passed_through(op, x, mul(add(kept, -q.zero_point), q.scale), steps, kept);
}

Variable fake_quantize_per_channel(const Variable& x, const Tensor& scale) {
  constexpr const char* op = "fake_quantize_per_channel";
  check_floating(op, x);
  if (!scale.defined() || scale.dtype() != DType::f32 || x.tensor().rank() < 1 ||
      !(scale.shape() == Shape{x.shape()[0]})) {
    fail(op, "expected x [C, ...] and scale [C] f32, got ", describe(x.tensor()), " and ",
         scale.defined() ? describe(scale) : std::string("an undefined one"));
  }
  if (!(scale.device() == x.device())) {
    fail(op, "expected both inputs on one device, got ", describe(x.tensor()), " and ",
         describe(scale));
  }
  const Tensor values = contiguous(to(scale, Device{}));
  for (std::int64_t i = 0; i < values.numel(); ++i) check_scale(op, values.data<float>()[i]);
  Shape shape = Shape::filled(x.tensor().rank(), 1);
  shape[0] = scale.numel();
  const Tensor by_channel = reshape(scale, shape);
  const Tensor steps = round(mul(x.tensor(), cast(reciprocal(by_channel), x.dtype())));
  const Tensor kept = clamp(steps, -127, 127);
  return passed_through(op, x, mul(kept, cast(by_channel, x.dtype())), steps, kept);
}

}  // namespace athanor
