#include "nn/early_stopping.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tensor/ops.h"

namespace athanor::nn {

bool EarlyStopping::observe(double reading, const Module& module) {
  const double gain = options_.maximize ? reading - best_ : best_ - reading;
  const bool better = std::isnan(best_) ? !std::isnan(reading) : gain > options_.threshold;
  if (!better) {
    ++waited_;
    return false;
  }
  best_ = reading;
  waited_ = 0;
  state_ = module.state_dict();
  return true;
}

void EarlyStopping::restore(Module& module) const {
  if (state_.empty()) fail("EarlyStopping", "expected a reading before restore()");
  module.load_state_dict(state_);
}

void EarlyStopping::resume(double best, std::int64_t waited, StateDict state) {
  best_ = best;
  waited_ = waited;
  state_ = std::move(state);
}

ParameterAverage::ParameterAverage(const Module& module, double decay)
    : decay_(decay), state_(module.state_dict()) {
  if (!(decay >= 0 && decay < 1)) {
    fail("ParameterAverage", "expected decay in [0, 1), got ", decay);
  }
}

void ParameterAverage::update(const Module& module) {
  ++updates_;
  const double t = static_cast<double>(updates_);
  const double decay = std::min(decay_, (1 + t) / (10 + t));
  std::set<std::string> averaged;
  for (const auto& [name, parameter] : module.named_parameters()) {
    Tensor& average = state_.at(name);
    mul_(average, decay);
    add_(average, mul(parameter.tensor(), 1 - decay));
    averaged.insert(name);
  }
  for (auto& [name, value] : module.state_dict()) {
    if (!averaged.contains(name)) state_.at(name) = value;
  }
}

void ParameterAverage::resume(std::int64_t updates, const StateDict& state) {
  updates_ = updates;
  for (auto& [name, value] : state_) value = clone(state.at(name));
}

}  // namespace athanor::nn
