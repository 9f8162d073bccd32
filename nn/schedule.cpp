#include "nn/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/base/error.h"

namespace athanor::nn {
namespace {

// From `start` to `end` along half a cosine; share in [0, 1].
double anneal(double start, double end, double share) {
  return end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * share));
}

}  // namespace

ScheduleKind schedule_from_name(const std::string& name) {
  for (ScheduleKind kind : {ScheduleKind::constant, ScheduleKind::linear, ScheduleKind::cosine,
                            ScheduleKind::one_cycle}) {
    if (name == name_of(kind)) return kind;
  }
  raise(ErrorKind::usage, "schedule: expected constant, linear, cosine or one_cycle, got ", name);
}

const char* name_of(ScheduleKind kind) {
  constexpr const char* names[] = {"constant", "linear", "cosine", "one_cycle"};
  return names[static_cast<int>(kind)];
}

double Schedule::rate(std::int64_t step) const {
  const double last = static_cast<double>(std::max<std::int64_t>(total - 1, 1));
  const double at = std::clamp<double>(static_cast<double>(step), 0, last);
  switch (kind) {
    case ScheduleKind::constant:
      return peak;
    case ScheduleKind::linear:
      return peak * (1 - at / static_cast<double>(std::max<std::int64_t>(total, 1)));
    case ScheduleKind::cosine:
      return anneal(peak, 0, at / static_cast<double>(std::max<std::int64_t>(total, 1)));
    case ScheduleKind::one_cycle:
      break;
  }
  const double first = peak / initial_divisor, end = first / final_divisor;
  const double turn = std::max(warm_fraction * static_cast<double>(total) - 1, 1e-9);
  if (at <= turn) return anneal(first, peak, at / turn);
  return anneal(peak, end, std::min(1.0, (at - turn) / std::max(last - turn, 1e-9)));
}

}  // namespace athanor::nn
