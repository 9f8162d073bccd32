// Learning-rate schedules: the rate of step `step` of `total` steps.
#pragma once

#include <cstdint>
#include <string>

namespace athanor::nn {

enum class ScheduleKind { constant, linear, cosine, one_cycle };

// "constant", "linear", "cosine", "one_cycle"; throws Error(usage) naming the choices otherwise.
ScheduleKind schedule_from_name(const std::string& name);
const char* name_of(ScheduleKind kind);

struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double peak = 1e-3;           // the largest rate
  std::int64_t total = 1;       // steps
  double warm_fraction = 0.3;   // one_cycle: share of the steps before the peak
  double initial_divisor = 25;  // one_cycle: the first rate is peak / this
  double final_divisor = 1e4;   // one_cycle: the last rate is the first one / this

  // Rate at `step` in [0, total). linear and cosine fall from the peak to 0; one_cycle rises and
  // falls along two half cosines (Smith & Topin 2018, in the form of PyTorch's OneCycleLR).
  double rate(std::int64_t step) const;
};

}  // namespace athanor::nn
