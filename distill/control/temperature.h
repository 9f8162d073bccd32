// The temperature T of a distillation loss over the course of training. Losses multiply their KL
// term by T^2, so that the scale of the gradient does not follow T (Hinton et al. 2015).
#pragma once

#include <string_view>
#include <vector>

namespace athanor::distill {

enum class TemperatureKind {
  stages,    // values[i] in the i-th of equal parts of training; the default is by thirds
  linear,    // from the first value to the last
  cosine,    // from the first value to the last by half a cosine
  constant,  // the first value
};

// From "stages", "linear", "cosine" or "constant"; another name throws usage.
TemperatureKind temperature_kind(std::string_view name);

class TemperatureSchedule {
 public:
  // Throws usage unless there is a value and all are positive and finite.
  explicit TemperatureSchedule(TemperatureKind kind = TemperatureKind::stages,
                               std::vector<double> values = {5, 2, 1});

  // T at `progress` in [0, 1] of training; beyond it the nearest end's.
  double at(double progress) const;
  // Whether T jumps (by more than 5%) between two moments of training, the first before the second.
  bool jumps(double before, double after) const;

 private:
  TemperatureKind kind_;
  std::vector<double> values_;
};

}  // namespace athanor::distill
