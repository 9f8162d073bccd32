#include "nn/optim.h"

#include <cmath>

#include "tensor/ops.h"
#include "tensor/ops/optimizer.h"

namespace athanor::nn {

AdamW::AdamW(std::vector<Variable> parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const Variable& p : parameters_) {
    m_.push_back(zeros_like(p.tensor()));
    v_.push_back(zeros_like(p.tensor()));
  }
}

void AdamW::step(double rate) {
  ++t_;
  AdamWStep s;
  s.rate = rate;
  s.beta1 = options_.beta1;
  s.beta2 = options_.beta2;
  s.epsilon = options_.epsilon;
  s.weight_decay = options_.weight_decay;
  s.correction1 = 1 - std::pow(options_.beta1, static_cast<double>(t_));
  s.correction2 = 1 - std::pow(options_.beta2, static_cast<double>(t_));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) continue;
    Tensor value = parameters_[i].tensor();
    adamw_(value, parameters_[i].grad().tensor(), m_[i], v_[i], s);
  }
}

Sgd::Sgd(std::vector<Variable> parameters, const SgdOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const Variable& p : parameters_) momentum_.push_back(zeros_like(p.tensor()));
}

void Sgd::step(double rate) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) continue;
    Tensor value = parameters_[i].tensor();
    Tensor direction = parameters_[i].grad().tensor();
    if (options_.weight_decay != 0) direction = add(direction, mul(value, options_.weight_decay));
    if (options_.momentum != 0) {
      mul_(momentum_[i], options_.momentum);
      add_(momentum_[i], direction);
      direction = momentum_[i];
    }
    add_(value, mul(direction, -rate));
  }
}

}  // namespace athanor::nn
