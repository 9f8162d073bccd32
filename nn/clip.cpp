#include "nn/clip.h"

#include <cmath>

#include "tensor/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/unary.h"

namespace athanor::nn {

double gradient_norm(const std::vector<Variable>& parameters) {
  double total = 0;
  Tensor on_device;  // of the squares there, so that the host waits once
  for (const Variable& p : parameters) {
    if (!p.grad().defined()) continue;
    const Tensor squares = sum(square(p.grad().tensor()));
    if (squares.device().type == DeviceType::cpu) {
      total += squares.item();
    } else {
      const Tensor wide = cast(squares, DType::f64);
      on_device = on_device.defined() ? add(on_device, wide) : wide;
    }
  }
  if (on_device.defined()) total += on_device.item();
  return std::sqrt(total);
}

void scale_gradients(std::vector<Variable>& parameters, double factor) {
  for (Variable& p : parameters) {
    if (p.grad().defined()) p.set_grad(Variable(mul(p.grad().tensor(), factor)));
  }
}

double clip_gradient_norm(std::vector<Variable>& parameters, double limit) {
  if (!(limit > 0)) fail("clip_gradient_norm", "expected limit > 0, got ", limit);
  const double norm = gradient_norm(parameters);
  if (std::isfinite(norm) && norm > limit) scale_gradients(parameters, limit / norm);
  return norm;
}

void clip_gradient_value(std::vector<Variable>& parameters, double limit) {
  if (!(limit > 0)) fail("clip_gradient_value", "expected limit > 0, got ", limit);
  for (Variable& p : parameters) {
    if (p.grad().defined()) p.set_grad(Variable(clamp(p.grad().tensor(), -limit, limit)));
  }
}

}  // namespace athanor::nn
