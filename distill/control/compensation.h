// Error compensation: an alarm signal made of three symptoms, and what is done about it.
//
//   dL = w1 grad_norm + w2 loss_variance + w3 activation_sparsity
//
// seed_exact takes the raw sum, in which the term with the largest unit wins. Otherwise each term
// is z-scored over a warm-up window. The alarm is raised above the warm-up's 95th percentile of dL
// for 3 checks in a row, cleared below 0.7 of it for 5, and followed by a cool-down.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace athanor::distill {

// The terms in the order of the formula.
enum class Symptom { gradient_norm, loss_variance, activation_sparsity };
// "gradient_norm", "loss_variance", "activation_sparsity".
const char* name_of(Symptom symptom);

struct CompensationOptions {
  std::array<double, 3> weights = {1, 1, 1};
  bool seed_exact = false;
  bool act = true;   // false: alarms are raised and reported, nothing is done
  int settle = 0;    // checks that are left out first, while the schedule still raises the rate
  int warm_up = 40;  // checks that the threshold is taken from
  double percentile = 0.95;
  int raise_checks = 3;
  double clear_share = 0.7;  // of the threshold
  int clear_checks = 5;
  int cool_down = 20;              // checks after a cleared alarm before the next can be raised
  double lr_decay = 0.7;           // of the rate, while a gradient-norm alarm stands
  double adversarial_share = 0.1;  // of the batch, while a sparsity alarm stands
};

enum class AlarmChange { none, raised, cleared };

struct CompensationReading {
  double delta_l = 0;
  double threshold = 0;  // 0 during warm-up
  bool alarm = false;
  AlarmChange change = AlarmChange::none;
  Symptom dominant = Symptom::gradient_norm;  // of the standing alarm, else of this check
};

// What the training loop is to do now.
struct CompensationActions {
  double lr_factor = 1;             // multiply the rate by this
  bool teacher_every_step = false;  // else every m steps, where the recipe says so
  double adversarial_share = 0;     // of the batch, as FGSM samples
};

struct CompensationReport {
  std::int64_t checks = 0, alarms = 0, checks_in_alarm = 0;
  std::array<std::int64_t, 3> alarms_by_symptom = {0, 0, 0};
};

class Compensation {
 public:
  // Throws usage for options that make no sense.
  explicit Compensation(const CompensationOptions& options = {});

  // One check. `loss_variance`: of recent losses; `activation_sparsity`: share of zeros. A check
  // with a non-finite term changes nothing.
  CompensationReading check(double grad_norm, double loss_variance, double activation_sparsity);
  CompensationActions actions() const;
  const CompensationReport& report() const { return report_; }

 private:
  void finish_warm_up();
  std::array<double, 3> contributions(const std::array<double, 3>& terms) const;
  AlarmChange advance(double delta_l, Symptom dominant);

  CompensationOptions options_;
  std::vector<std::array<double, 3>> warm_up_;
  std::array<double, 3> mean_ = {0, 0, 0}, deviation_ = {1, 1, 1};
  double threshold_ = 0;
  bool alarm_ = false;
  Symptom symptom_ = Symptom::gradient_norm;
  int settling_, above_ = 0, below_ = 0, cooling_ = 0;
  CompensationReading last_;
  CompensationReport report_;
};

}  // namespace athanor::distill
