#include "nn/amp.h"

#include <algorithm>
#include <map>

#include "autograd/ops/binary.h"
#include "autograd/ops/copy.h"
#include "tensor/ops.h"

namespace athanor::nn {
namespace {

bool is_low(DType t) { return t == DType::f16 || t == DType::bf16; }

// Whether every gradient is finite; asks each device once.
bool all_finite(const std::vector<Variable>& parameters) {
  std::vector<std::pair<Device, Tensor>> flags;
  for (const Variable& p : parameters) {
    if (!p.grad().defined()) continue;
    const Tensor finite = all(isfinite(p.grad().tensor()));
    const auto same = [&](const auto& entry) { return entry.first == finite.device(); };
    const auto found = std::find_if(flags.begin(), flags.end(), same);
    if (found == flags.end()) {
      flags.emplace_back(finite.device(), finite);
    } else {
      found->second = logical_and(found->second, finite);
    }
  }
  return std::all_of(flags.begin(), flags.end(),
                     [](const auto& entry) { return entry.second.item() != 0; });
}

}  // namespace

LossScaler::LossScaler(const LossScalerOptions& options)
    : options_(options), factor_(options.enabled ? options.initial : 1) {
  if (!(options.initial > 0) || !(options.growth > 1) || options.interval < 1 ||
      !(options.backoff > 0 && options.backoff < 1) || !(options.largest >= options.initial)) {
    fail("loss_scaler",
         "expected initial > 0, growth > 1, backoff in (0, 1), interval >= 1 and largest >= "
         "initial, got ",
         options.initial, ", ", options.growth, ", ", options.backoff, ", ", options.interval,
         " and ", options.largest);
  }
}

void LossScaler::set_state(const State& state) {
  if (!(state.factor > 0)) fail("loss_scaler", "expected factor > 0, got ", state.factor);
  factor_ = state.factor;
  good_steps_ = state.good_steps;
  skipped_ = state.skipped;
}

Variable LossScaler::scale(const Variable& loss) const {
  if (factor_ == 1) return loss;
  return mul(is_low(loss.dtype()) ? cast(loss, DType::f32) : loss, factor_);
}

bool LossScaler::unscale(std::vector<Variable>& parameters) {
  if (!options_.enabled) return true;
  if (!all_finite(parameters)) {
    factor_ = std::max(factor_ * options_.backoff, 1.0 / 65536);
    good_steps_ = 0;
    ++skipped_;
    return false;
  }
  for (Variable& p : parameters) {
    if (p.grad().defined()) p.set_grad(Variable(mul(p.grad().tensor(), 1 / factor_)));
  }
  if (++good_steps_ >= options_.interval) {
    factor_ = std::min(factor_ * options_.growth, options_.largest);
    good_steps_ = 0;
  }
  return true;
}

MasterWeights::MasterWeights(std::vector<Variable> parameters) : own_(std::move(parameters)) {
  for (const Variable& p : own_) {
    masters_.push_back(is_low(p.dtype()) ? Variable(cast(p.tensor(), DType::f32), true) : p);
  }
}

void MasterWeights::take_gradients() {
  for (std::size_t i = 0; i < own_.size(); ++i) {
    if (!is_low(own_[i].dtype())) continue;
    const Variable gradient = own_[i].grad();
    masters_[i].set_grad(gradient.defined() ? Variable(cast(gradient.tensor(), DType::f32))
                                            : Variable());
    own_[i].zero_grad();
  }
}

void MasterWeights::write_back() {
  for (std::size_t i = 0; i < own_.size(); ++i) {
    if (!is_low(own_[i].dtype())) continue;
    Tensor value = own_[i].tensor();
    copy_(value, masters_[i].tensor());
  }
}

}  // namespace athanor::nn
