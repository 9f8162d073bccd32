#include "distill/control/error_bound.h"

#include <algorithm>
#include <cmath>

#include "distill/control/require.h"

namespace athanor::distill {
ErrorBound::ErrorBound(const ErrorBoundOptions& options, double d0)
    : options_(options),
      d0_(d0),
      mse_teacher_(options.seed_exact ? 0 : options.mse_decay),
      mse_student_(options.seed_exact ? 0 : options.mse_decay) {
  require("error_bound", std::isfinite(d0) && d0 > 0, "D of the untrained student > 0", d0);
  require("error_bound", options.alpha >= 0, "alpha >= 0", options.alpha);
  require("error_bound", options.beta >= 0, "beta >= 0", options.beta);
  require("error_bound", std::isfinite(options.gamma), "a finite gamma", options.gamma);
  require("error_bound", options.floor >= 0, "floor >= 0", options.floor);
  require("error_bound", options.mse_decay >= 0 && options.mse_decay < 1, "mse_decay in [0, 1)",
          options.mse_decay);
}

void ErrorBound::observe(double mse_teacher, double mse_student) {
  if (!std::isfinite(mse_teacher) || !std::isfinite(mse_student)) return;
  mse_teacher_.add(mse_teacher);
  mse_student_.add(mse_student);
}

Bound ErrorBound::at(double epochs) const {
  const double alpha = options_.seed_exact ? options_.alpha : options_.alpha * d0_;
  Bound bound;
  bound.raw = -alpha * std::expm1(-options_.beta * epochs) +
              options_.gamma * (mse_teacher_.mean() - mse_student_.mean());
  bound.value = options_.seed_exact ? bound.raw : std::max(bound.raw, options_.floor * d0_);
  return bound;
}

DualAscent::DualAscent(const DualAscentOptions& options)
    : options_(options), d_(options.d_decay), lambda_(options.lambda_start) {
  require("error_bound", options.rate > 0, "rate > 0", options.rate);
  require("error_bound", options.lambda_min >= 0, "lambda_min >= 0", options.lambda_min);
  require("error_bound", options.lambda_max > options.lambda_min, "lambda_max > lambda_min",
          options.lambda_max);
  require("error_bound",
          options.lambda_start >= options.lambda_min && options.lambda_start <= options.lambda_max,
          "lambda_start in [lambda_min, lambda_max]", options.lambda_start);
  require("error_bound", options.dead_band >= 0, "dead_band >= 0", options.dead_band);
  require("error_bound", options.d_decay >= 0 && options.d_decay < 1, "d_decay in [0, 1)",
          options.d_decay);
  require("error_bound", options.freeze_steps >= 0, "freeze_steps >= 0", options.freeze_steps);
}

double DualAscent::update(double d, double epsilon) {
  if (!std::isfinite(d) || !std::isfinite(epsilon)) return lambda_;
  d_.add(d);
  const double excess = d_.mean() - epsilon;
  ++steps_;
  lambda_sum_ += lambda_;
  at_max_ += lambda_ >= options_.lambda_max;
  at_min_ += lambda_ <= options_.lambda_min;
  violations_ += excess > 0;
  // A bound of zero or less (seed_exact) cannot be reached: the violation is total.
  const double relative = epsilon > 0 ? excess / epsilon : 1.0;
  if (epsilon > 0) worst_excess_ = std::max(worst_excess_, relative);
  if (frozen_ > 0) {
    --frozen_;
  } else if (std::abs(relative) > options_.dead_band) {
    lambda_ = std::clamp(lambda_ + options_.rate * std::clamp(relative, -1.0, 1.0),
                         options_.lambda_min, options_.lambda_max);
  }
  return lambda_;
}

DualReport DualAscent::report() const {
  DualReport report;
  report.steps = steps_;
  report.violations = violations_;
  report.worst_excess = worst_excess_;
  if (steps_ == 0) return report;
  const double steps = static_cast<double>(steps_);
  report.violation_share = static_cast<double>(violations_) / steps;
  report.mean_lambda = lambda_sum_ / steps;
  report.share_at_max = static_cast<double>(at_max_) / steps;
  report.share_at_min = static_cast<double>(at_min_) / steps;
  report.vacuous = 1 - report.share_at_min < 0.1;
  return report;
}

}  // namespace athanor::distill
