#include "distill/restructure/adam.h"

#include <cmath>

#include "tensor/ops/copy.h"

namespace athanor::distill {

SmallAdam::SmallAdam(std::vector<Variable> parameters, double weight_decay)
    : parameters_(std::move(parameters)), weight_decay_(weight_decay) {
  for (const Variable& parameter : parameters_) {
    first_.emplace_back(static_cast<std::size_t>(parameter.numel()));
    second_.emplace_back(static_cast<std::size_t>(parameter.numel()));
  }
}

void SmallAdam::step(double lr) {
  decay1_ *= 0.9;
  decay2_ *= 0.999;
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    Variable& parameter = parameters_[k];
    if (!parameter.grad().defined()) continue;
    const Tensor gradient = contiguous(parameter.grad().tensor());
    Tensor value = clone(parameter.tensor());
    const float* g = gradient.data<float>();
    float* w = value.data<float>();
    for (std::size_t i = 0; i < first_[k].size(); ++i) {
      first_[k][i] = 0.9f * first_[k][i] + 0.1f * g[i];
      second_[k][i] = 0.999f * second_[k][i] + 0.001f * g[i] * g[i];
      const double mean = first_[k][i] / (1 - decay1_), square = second_[k][i] / (1 - decay2_);
      w[i] = static_cast<float>((1 - lr * weight_decay_) * w[i] -
                                lr * mean / (std::sqrt(square) + 1e-8));
    }
    parameter.set_value(value);
    parameter.zero_grad();
  }
}

std::vector<Tensor> SmallAdam::snapshot() const {
  std::vector<Tensor> out;
  for (const Variable& parameter : parameters_) out.push_back(clone(parameter.tensor()));
  return out;
}

}  // namespace athanor::distill
