// Learning-rate schedules: the rate of step `step` of `total` steps.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace athanor::nn {

enum class ScheduleKind { constant, linear, cosine, one_cycle, step, warm_stable_decay };

// The names are those above; throws Error(usage) naming the choices otherwise.
ScheduleKind schedule_from_name(const std::string& name);
const char* name_of(ScheduleKind kind);

struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double peak = 1e-3;           // the largest rate
  std::int64_t total = 1;       // steps
  double warm_fraction = 0.3;   // one_cycle: share of the steps before the peak
  double initial_divisor = 25;  // one_cycle: the first rate is peak / this
  double final_divisor = 1e4;   // one_cycle: the last rate is the first one / this
  double warmup = 0;            // the others: share of the steps in which the rate rises from 0
  double floor = 0;             // linear, cosine, warm_stable_decay: the last rate / peak
  double decay_fraction = 0.2;  // warm_stable_decay: share of the steps of the decay
  double step_fraction = 0.3;   // step: the rate is multiplied by step_factor each such share
  double step_factor = 0.1;

  // Rate at `step` in [0, total). linear and cosine fall from the peak to its floor; step falls at
  // equal intervals; warm_stable_decay stays at the peak and falls linearly at the end (Hu et al.
  // 2024); one_cycle rises and falls along two half cosines (Smith & Topin 2018, in the form of
  // PyTorch's OneCycleLR).
  double rate(std::int64_t step) const;
};

// Lowers the rate when a measure stops improving.
class Plateau {
 public:
  struct Options {
    double factor = 0.1;         // of the rate at each reduction
    std::int64_t patience = 10;  // readings without improvement that are borne
    double threshold = 1e-4;     // an improvement is larger than this
    bool maximize = false;       // larger readings are better
    double smallest = 0;         // the factor does not fall below this
  };
  explicit Plateau(const Options& options);
  // Takes a reading; gives the factor of the rate from now on, 1 at first.
  double observe(double reading);
  double factor() const { return factor_; }

 private:
  Options options_;
  double factor_ = 1, best_;
  std::int64_t waited_ = 0;
};

}  // namespace athanor::nn
