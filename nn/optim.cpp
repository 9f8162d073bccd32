#include "nn/optim.h"

#include <algorithm>
#include <cmath>

#include "tensor/ops.h"
#include "tensor/ops/optimizer.h"

namespace athanor::nn {
namespace {

std::vector<ParameterGroup> one_group(std::vector<Variable> parameters) {
  std::vector<ParameterGroup> groups(1);
  groups[0].parameters = std::move(parameters);
  return groups;
}

double norm_of(const Tensor& x) { return std::sqrt(sum(square(cast(x, DType::f64))).item()); }

// y = a y + b x
void blend_(Tensor& y, double a, const Tensor& x, double b) {
  mul_(y, a);
  add_(y, mul(x, b));
}

AdamWRule adamw_rule(const AdamWOptions& o, std::int64_t t) {
  const auto steps = static_cast<double>(t);
  return {o.beta1, o.beta2, o.epsilon, 1 - std::pow(o.beta1, steps), 1 - std::pow(o.beta2, steps)};
}

}  // namespace

std::vector<ParameterGroup> decay_matrices_only(const Module& module) {
  std::vector<ParameterGroup> groups(2);
  groups[1].weight_decay = 0;
  for (const Variable& p : module.parameters()) groups[p.rank() < 2].parameters.push_back(p);
  return groups;
}

Optimizer::Optimizer(std::vector<ParameterGroup> groups, std::vector<std::string> state_names,
                     double weight_decay)
    : groups_(std::move(groups)), state_names_(std::move(state_names)) {
  for (ParameterGroup& group : groups_) {
    for (const Variable& p : group.parameters) {
      const bool seen = std::any_of(parameters_.begin(), parameters_.end(),
                                    [&](const auto& other) { return other.state() == p.state(); });
      if (seen) fail("optimizer", "expected each parameter once, got one twice");
      Slot slot{&group, group.weight_decay.value_or(weight_decay), {}};
      for (std::size_t i = 0; i < state_names_.size(); ++i) {
        slot.state.push_back(zeros_like(p.tensor()));
      }
      parameters_.push_back(p);
      slots_.push_back(std::move(slot));
    }
  }
}

void Optimizer::step(double rate) {
  ++t_;
  updates_.clear();
  updates_.reserve(parameters_.size());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) continue;
    updates_.push_back({parameters_[i].tensor(), parameters_[i].grad().tensor(), slots_[i],
                        rate * slots_[i].group->rate_scale});
  }
  update(updates_);
  updates_.clear();  // lets go of the gradients
}

void Optimizer::zero_grad() {
  for (Variable& p : parameters_) p.zero_grad();
}

StateDict Optimizer::state_dict() const {
  StateDict state{{"step", full({1}, static_cast<double>(t_), DType::i64)}};
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    for (std::size_t k = 0; k < state_names_.size(); ++k) {
      state.emplace(str(i, ".", state_names_[k]), clone(slots_[i].state[k]));
    }
  }
  return state;
}

void Optimizer::load_state_dict(const StateDict& state) {
  const StateDict own = state_dict();
  for (const auto& [name, value] : own) {
    const auto it = state.find(name);
    if (it == state.end() || !(it->second.shape() == value.shape()) ||
        it->second.dtype() != value.dtype()) {
      raise(ErrorKind::bad_input, "optimizer state: ", name, ": expected ", describe(value),
            ", found ", it == state.end() ? "none" : describe(it->second));
    }
  }
  if (state.size() != own.size()) {
    raise(ErrorKind::bad_input, "optimizer state: expected ", own.size(), " tensors, found ",
          state.size());
  }
  t_ = static_cast<std::int64_t>(state.at("step").item());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    for (std::size_t k = 0; k < state_names_.size(); ++k) {
      copy_(slots_[i].state[k], state.at(str(i, ".", state_names_[k])));
    }
  }
}

Sgd::Sgd(std::vector<Variable> parameters, const SgdOptions& options)
    : Sgd(one_group(std::move(parameters)), options) {}

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
    : Optimizer(
          std::move(groups),
          options.momentum != 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{},
          options.weight_decay),
      options_(options) {
  if (options.nesterov && options.momentum == 0) fail("Sgd", "expected momentum for nesterov");
}

void Sgd::update(std::span<Update> updates) {
  for (auto& [value, gradient, slot, rate] : updates) {
    Tensor direction = gradient;
    if (slot.weight_decay != 0) direction = add(direction, mul(value, slot.weight_decay));
    if (options_.momentum != 0) {
      Tensor& momentum = slot.state[0];
      mul_(momentum, options_.momentum);
      add_(momentum, direction);
      direction = options_.nesterov ? add(direction, mul(momentum, options_.momentum)) : momentum;
    }
    add_(value, mul(direction, -rate));
  }
}

AdamW::AdamW(std::vector<Variable> parameters, const AdamWOptions& options)
    : AdamW(one_group(std::move(parameters)), options) {}

AdamW::AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options)
    : Optimizer(std::move(groups), {"m", "v"}, options.weight_decay), options_(options) {}

void AdamW::update(std::span<Update> updates) {
  all_.clear();
  all_.reserve(updates.size());
  for (auto& [value, gradient, slot, rate] : updates) {
    const bool coupled = options_.coupled && slot.weight_decay != 0;
    const Tensor g = coupled ? add(gradient, mul(value, slot.weight_decay)) : gradient;
    all_.push_back(
        {value, g, slot.state[0], slot.state[1], rate, options_.coupled ? 0 : slot.weight_decay});
  }
  adamw_(all_, adamw_rule(options_, t()));
  all_.clear();
}

Lamb::Lamb(std::vector<Variable> parameters, const LambOptions& options)
    : Lamb(one_group(std::move(parameters)), options) {}

Lamb::Lamb(std::vector<ParameterGroup> groups, const LambOptions& options)
    : Optimizer(std::move(groups), {"m", "v"}, options.weight_decay), options_(options) {}

void Lamb::update(std::span<Update> updates) {
  const LambOptions& o = options_;
  for (auto& [value, gradient, slot, rate] : updates) {
    Tensor &m = slot.state[0], &v = slot.state[1];
    blend_(m, o.beta1, gradient, 1 - o.beta1);
    blend_(v, o.beta2, square(gradient), 1 - o.beta2);
    const double correction1 = 1 - std::pow(o.beta1, static_cast<double>(t()));
    const double correction2 = 1 - std::pow(o.beta2, static_cast<double>(t()));
    const Tensor root = add(sqrt(mul(v, 1 / correction2)), o.epsilon);
    Tensor direction = div(mul(m, 1 / correction1), root);
    if (slot.weight_decay != 0) direction = add(direction, mul(value, slot.weight_decay));
    const double length = norm_of(value), change = norm_of(direction);
    const double trust = length > 0 && change > 0 ? length / change : 1;
    add_(value, mul(direction, -rate * trust));
  }
}

Lion::Lion(std::vector<Variable> parameters, const LionOptions& options)
    : Lion(one_group(std::move(parameters)), options) {}

Lion::Lion(std::vector<ParameterGroup> groups, const LionOptions& options)
    : Optimizer(std::move(groups), {"m"}, options.weight_decay), options_(options) {}

void Lion::update(std::span<Update> updates) {
  const LionOptions& o = options_;
  for (auto& [value, gradient, slot, rate] : updates) {
    Tensor& m = slot.state[0];
    const Tensor direction = sign(add(mul(m, o.beta1), mul(gradient, 1 - o.beta1)));
    mul_(value, 1 - rate * slot.weight_decay);
    add_(value, mul(direction, -rate));
    blend_(m, o.beta2, gradient, 1 - o.beta2);
  }
}

Muon::Muon(std::vector<Variable> parameters, const MuonOptions& options)
    : Muon(one_group(std::move(parameters)), options) {}

Muon::Muon(std::vector<ParameterGroup> groups, const MuonOptions& options)
    : Optimizer(std::move(groups), {"m", "v"}, options.weight_decay), options_(options) {}

void Muon::update(std::span<Update> updates) {
  for (auto& [value, gradient, slot, rate] : updates) {
    Tensor& momentum = slot.state[0];
    if (slot.group->elementwise || value.rank() < 2) {
      AdamWParameter one{value, gradient, momentum, slot.state[1], rate, slot.weight_decay};
      adamw_({&one, 1}, adamw_rule(options_.elementwise, t()));
      continue;
    }
    blend_(momentum, options_.momentum, gradient, 1 - options_.momentum);
    const Tensor ahead =
        add(mul(gradient, 1 - options_.momentum), mul(momentum, options_.momentum));
    const std::int64_t rows = value.size(0), columns = value.numel() / rows;
    const Tensor direction = newton_schulz(reshape(ahead, {rows, columns}));
    const double scale = 0.2 * std::sqrt(static_cast<double>(std::max(rows, columns)));
    mul_(value, 1 - rate * slot.weight_decay);
    add_(value, mul(reshape(direction, value.shape()), -rate * scale));
  }
}

Tensor newton_schulz(const Tensor& g) {
  if (g.rank() != 2) fail("newton_schulz", "expected [R, C], got ", describe(g));
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315;
  const bool tall = g.size(0) > g.size(1);
  Tensor x = contiguous(tall ? transpose(g) : g);
  x = mul(x, 1 / (norm_of(x) + 1e-7));
  for (int step = 0; step < 5; ++step) {
    const Tensor gram = matmul(x, transpose(x));
    const Tensor polynomial = add(mul(gram, b), mul(matmul(gram, gram), c));
    x = add(mul(x, a), matmul(polynomial, x));
  }
  return tall ? contiguous(transpose(x)) : x;
}

}  // namespace athanor::nn
