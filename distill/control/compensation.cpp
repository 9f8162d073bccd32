#include "distill/control/compensation.h"

#include <algorithm>
#include <cmath>

#include "distill/control/require.h"

namespace athanor::distill {
namespace {

using Terms = std::array<double, 3>;

double total(const Terms& terms) { return terms[0] + terms[1] + terms[2]; }

Symptom largest(const Terms& terms) {
  return static_cast<Symptom>(std::max_element(terms.begin(), terms.end()) - terms.begin());
}

}  // namespace

const char* name_of(Symptom symptom) {
  static constexpr const char* kNames[] = {"gradient_norm", "loss_variance", "activation_sparsity"};
  return kNames[static_cast<int>(symptom)];
}

Compensation::Compensation(const CompensationOptions& options)
    : options_(options), settling_(options.settle) {
  for (double weight : options.weights)
    require("compensation", weight >= 0, "weights >= 0", weight);
  require("compensation", total(options.weights) > 0, "a weight above 0", total(options.weights));
  require("compensation", options.settle >= 0, "settle >= 0", options.settle);
  require("compensation", options.warm_up >= 2, "warm_up >= 2", options.warm_up);
  require("compensation", options.percentile > 0 && options.percentile < 1, "percentile in (0, 1)",
          options.percentile);
  require("compensation", options.raise_checks >= 1, "raise_checks >= 1", options.raise_checks);
  require("compensation", options.clear_checks >= 1, "clear_checks >= 1", options.clear_checks);
  require("compensation", options.clear_share > 0 && options.clear_share <= 1,
          "clear_share in (0, 1]", options.clear_share);
  require("compensation", options.cool_down >= 0, "cool_down >= 0", options.cool_down);
  require("compensation", options.lr_decay > 0 && options.lr_decay <= 1, "lr_decay in (0, 1]",
          options.lr_decay);
  require("compensation", options.adversarial_share >= 0 && options.adversarial_share <= 1,
          "adversarial_share in [0, 1]", options.adversarial_share);
}

CompensationReading Compensation::check(double grad_norm, double loss_variance,
                                        double activation_sparsity) {
  last_.change = AlarmChange::none;
  const Terms terms = {grad_norm, loss_variance, activation_sparsity};
  if (!std::isfinite(total(terms))) return last_;
  ++report_.checks;
  if (settling_ > 0) {
    --settling_;
    return last_;
  }
  if (threshold_ == 0) {
    warm_up_.push_back(terms);
    if (static_cast<int>(warm_up_.size()) == options_.warm_up) finish_warm_up();
    return last_;
  }
  const Terms shares = contributions(terms);
  last_.delta_l = total(shares);
  last_.threshold = threshold_;
  last_.change = advance(last_.delta_l, largest(shares));
  last_.alarm = alarm_;
  const bool standing = alarm_ || last_.change == AlarmChange::cleared;
  last_.dominant = standing ? symptom_ : largest(shares);
  report_.checks_in_alarm += alarm_;
  return last_;
}

// Mean and deviation of each term, then the percentile of the signal they make.
void Compensation::finish_warm_up() {
  const double n = static_cast<double>(warm_up_.size());
  for (std::size_t k = 0; k < 3 && !options_.seed_exact; ++k) {
    double sum = 0, squares = 0;
    for (const Terms& terms : warm_up_) sum += terms[k];
    mean_[k] = sum / n;
    for (const Terms& terms : warm_up_) squares += (terms[k] - mean_[k]) * (terms[k] - mean_[k]);
    // A term that did not vary in the warm-up (a network without zeros) must not divide by zero nor
    // set off an alarm by its first rounding error.
    deviation_[k] = std::max(std::sqrt(squares / n), 1e-3 * std::abs(mean_[k]) + 1e-12);
  }
  std::vector<double> signals;
  for (const Terms& terms : warm_up_) signals.push_back(total(contributions(terms)));
  std::sort(signals.begin(), signals.end());
  const double place = options_.percentile * (n - 1);
  const auto low = static_cast<std::size_t>(place);
  const double rest = place - static_cast<double>(low);
  const double high = signals[std::min(low + 1, signals.size() - 1)];
  // Positive in any case: 0 stands for "no threshold yet", and a share of it must lie below it.
  threshold_ = std::max(signals[low] + rest * (high - signals[low]), 1e-12);
  warm_up_.clear();
}

Terms Compensation::contributions(const Terms& terms) const {
  Terms out;
  for (std::size_t k = 0; k < 3; ++k) {
    out[k] = options_.weights[k] * (terms[k] - mean_[k]) / deviation_[k];
  }
  return out;
}

AlarmChange Compensation::advance(double delta_l, Symptom dominant) {
  if (cooling_ > 0) {
    --cooling_;
    return AlarmChange::none;
  }
  above_ = delta_l > threshold_ ? above_ + 1 : 0;
  below_ = delta_l < options_.clear_share * threshold_ ? below_ + 1 : 0;
  if (!alarm_ && above_ >= options_.raise_checks) {
    alarm_ = true;
    symptom_ = dominant;
    ++report_.alarms;
    ++report_.alarms_by_symptom[static_cast<std::size_t>(dominant)];
    return AlarmChange::raised;
  }
  if (alarm_ && below_ >= options_.clear_checks) {
    alarm_ = false;
    above_ = 0;
    cooling_ = options_.cool_down;
    return AlarmChange::cleared;
  }
  return AlarmChange::none;
}

CompensationActions Compensation::actions() const {
  CompensationActions actions;
  if (!options_.act) return actions;
  if (alarm_ && symptom_ == Symptom::gradient_norm) actions.lr_factor = options_.lr_decay;
  actions.teacher_every_step = alarm_ && symptom_ == Symptom::loss_variance;
  if (alarm_ && symptom_ == Symptom::activation_sparsity) {
    actions.adversarial_share = options_.adversarial_share;
  }
  return actions;
}

}  // namespace athanor::distill
