#include "nn/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/base/error.h"

namespace athanor::nn {
namespace {

constexpr ScheduleKind kKinds[] = {ScheduleKind::constant, ScheduleKind::linear,
                                   ScheduleKind::cosine,   ScheduleKind::one_cycle,
                                   ScheduleKind::step,     ScheduleKind::warm_stable_decay};

// From `start` to `end` along half a cosine; share in [0, 1].
double anneal(double start, double end, double share) {
  return end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * share));
}

double one_cycle(const Schedule& s, double at, double last) {
  const double first = s.peak / s.initial_divisor, end = first / s.final_divisor;
  const double turn = std::max(s.warm_fraction * static_cast<double>(s.total) - 1, 1e-9);
  if (at <= turn) return anneal(first, s.peak, at / turn);
  return anneal(s.peak, end, std::min(1.0, (at - turn) / std::max(last - turn, 1e-9)));
}

}  // namespace

ScheduleKind schedule_from_name(const std::string& name) {
  std::string names;
  for (ScheduleKind kind : kKinds) {
    if (name == name_of(kind)) return kind;
    names += (names.empty() ? "" : ", ") + std::string(name_of(kind));
  }
  raise(ErrorKind::usage, "schedule: expected one of ", names, "; got ", name);
}

const char* name_of(ScheduleKind kind) {
  constexpr const char* names[] = {"constant",  "linear", "cosine",
                                   "one_cycle", "step",   "warm_stable_decay"};
  return names[static_cast<int>(kind)];
}

double Schedule::rate(std::int64_t step) const {
  const double last = static_cast<double>(std::max<std::int64_t>(total - 1, 1));
  const double at = std::clamp<double>(static_cast<double>(step), 0, last);
  if (kind == ScheduleKind::one_cycle) return one_cycle(*this, at, last);
  const double steps = static_cast<double>(std::max<std::int64_t>(total, 1));
  const double rise = warmup * steps;
  if (at + 1 < rise) return peak * (at + 1) / rise;
  // Share of the steps after the warm-up that is done.
  const double share = (at - std::min(rise, at)) / std::max(steps - rise, 1.0);
  switch (kind) {
    case ScheduleKind::linear:
      return peak * (1 - (1 - floor) * share);
    case ScheduleKind::cosine:
      return anneal(peak, peak * floor, share);
    case ScheduleKind::step:
      return peak * std::pow(step_factor, std::floor(share / step_fraction));
    case ScheduleKind::warm_stable_decay: {
      const double left = (steps - at) / std::max(decay_fraction * steps, 1.0);
      return peak * std::min(1.0, floor + (1 - floor) * left);
    }
    case ScheduleKind::constant:
    case ScheduleKind::one_cycle:
      break;
  }
  return peak;
}

Plateau::Plateau(const Options& options)
    : options_(options),
      best_(options.maximize ? -std::numeric_limits<double>::infinity()
                             : std::numeric_limits<double>::infinity()) {
  if (!(options.factor > 0 && options.factor < 1) || options.patience < 0) {
    fail("Plateau", "expected factor in (0, 1) and patience >= 0, got ", options.factor, " and ",
         options.patience);
  }
}

double Plateau::observe(double reading) {
  const bool better = options_.maximize ? reading > best_ + options_.threshold
                                        : reading < best_ - options_.threshold;
  if (better) {
    best_ = reading;
    waited_ = 0;
  } else if (++waited_ > options_.patience) {
    factor_ = std::max(factor_ * options_.factor, options_.smallest);
    waited_ = 0;
  }
  return factor_;
}

}  // namespace athanor::nn
