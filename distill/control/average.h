// Exponential averages without start-up bias.
#pragma once

#include <cmath>

namespace athanor::distill {

// Mean and variance of a stream, old values fading by `decay` a step. The weights add up to one
// from the first value on, so that the average of a constant is that constant at once.
class ExponentialAverage {
 public:
  // decay in [0, 1): 0 keeps the last value only, 0.99 remembers about 100.
  explicit ExponentialAverage(double decay) : decay_(decay) {}

  // Non-finite values are ignored: one broken step must not poison every later one.
  void add(double value) {
    if (!std::isfinite(value)) return;
    ++count_;
    weight_ = decay_ * weight_ + 1;
    const double delta = value - mean_, share = 1 / weight_;
    mean_ += share * delta;
    variance_ = (1 - share) * (variance_ + share * delta * delta);
  }
  long count() const { return count_; }
  double mean() const { return mean_; }
  // Population form: zero after one value.
  double stddev() const { return std::sqrt(variance_); }

 private:
  double decay_;
  double weight_ = 0, mean_ = 0, variance_ = 0;
  long count_ = 0;
};

}  // namespace athanor::distill
