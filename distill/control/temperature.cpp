#include "distill/control/temperature.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/base/error.h"

namespace athanor::distill {

TemperatureKind temperature_kind(std::string_view name) {
  if (name == "stages") return TemperatureKind::stages;
  if (name == "linear") return TemperatureKind::linear;
  if (name == "cosine") return TemperatureKind::cosine;
  if (name == "constant") return TemperatureKind::constant;
  raise(ErrorKind::usage,
        "[temperature] expected schedule stages, linear, cosine or constant, got '", name, "'");
}

TemperatureSchedule::TemperatureSchedule(TemperatureKind kind, std::vector<double> values)
    : kind_(kind), values_(std::move(values)) {
  if (values_.empty()) raise(ErrorKind::usage, "[temperature] expected at least one value");
  for (double value : values_) {
    if (!(value > 0) || !std::isfinite(value)) {
      raise(ErrorKind::usage, "[temperature] expected T > 0, got ", value);
    }
  }
}

double TemperatureSchedule::at(double progress) const {
  progress = std::clamp(progress, 0.0, 1.0);
  const double first = values_.front(), last = values_.back();
  switch (kind_) {
    case TemperatureKind::stages: {
      const auto stage = static_cast<std::size_t>(progress * static_cast<double>(values_.size()));
      return values_[std::min(stage, values_.size() - 1)];
    }
    case TemperatureKind::linear:
      return first + (last - first) * progress;
    case TemperatureKind::cosine:
      return last + (first - last) * (1 + std::cos(std::numbers::pi * progress)) / 2;
    case TemperatureKind::constant:
      break;
  }
  return first;
}

bool TemperatureSchedule::jumps(double before, double after) const {
  const double old_value = at(before);
  return std::abs(at(after) - old_value) > 0.05 * old_value;
}

}  // namespace athanor::distill
