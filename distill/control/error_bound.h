// A bound on the distance of student and teacher, and the multiplier that enforces it.
//
//   eps_t = alpha (1 - e^(-beta t)) + gamma (MSE_teacher - MSE_student)       t in epochs
//
// bounds D_t, the averaged mean squared difference of student and teacher probabilities: minimise
// the task loss subject to D_t <= eps_t, by dual ascent on lambda in L = L_task + lambda D.
#pragma once

#include <cstdint>

#include "distill/control/average.h"

namespace athanor::distill {

struct ErrorBoundOptions {
  double alpha = 0.06;  // in units of D_0, the D of the untrained student
  double beta = 0.5;    // 1 / epoch
  double gamma = 0.1;   // weighs the two MSEs, which are means over classes
  // Smallest bound, in units of D_0: the gamma term is negative while the student trails.
  double floor = 1e-3;
  // Forgetting of the probe's two MSEs, see ExponentialAverage.
  double mse_decay = 0.7;
  // The formula alone: alpha in absolute units, latest MSEs, no floor.
  bool seed_exact = false;
};

struct Bound {
  double raw = 0;    // what the formula gives
  double value = 0;  // what is enforced: raw, not below the floor
};

class ErrorBound {
 public:
  // d0 > 0 is D of the untrained student. Throws usage for options that make no sense.
  ErrorBound(const ErrorBoundOptions& options, double d0);

  // Both errors against the targets of a fixed probe set, mean over records and classes.
  void observe(double mse_teacher, double mse_student);
  // The bound after `epochs` of training. Before the first observation the gamma term is 0.
  Bound at(double epochs) const;

 private:
  ErrorBoundOptions options_;
  double d0_;
  ExponentialAverage mse_teacher_, mse_student_;
};

struct DualAscentOptions {
  double rate = 0.5;  // of lambda a step, at a relative violation of 1
  double lambda_start = 0;
  double lambda_min = 0;
  double lambda_max = 100;
  double dead_band = 0.05;  // relative violations within it move nothing
  double d_decay = 0.9;     // forgetting of D_t, see ExponentialAverage
  int freeze_steps = 20;    // after freeze(), since D then jumps for another reason
};

struct DualReport {
  std::int64_t steps = 0;
  std::int64_t violations = 0;  // steps with D_t > eps_t
  double violation_share = 0;   // of the steps
  double worst_excess = 0;      // largest (D_t - eps_t) / eps_t for eps_t > 0
  double mean_lambda = 0;
  double share_at_max = 0;  // of the steps: the bound cannot be reached
  double share_at_min = 0;  // of the steps: the bound asks for nothing
  bool vacuous = false;     // lambda above its floor in less than 10% of the steps
};

// Dual ascent. The step is proportional to the relative violation, limited to [-1, 1]. Lambda is
// itself the integral and is clipped, so nothing winds up behind a bound: the first step in the
// other direction leaves it.
class DualAscent {
 public:
  explicit DualAscent(const DualAscentOptions& options);

  // Takes this step's D and bound; returns the lambda to use in the next one. A non-finite D
  // changes nothing and is not counted.
  double update(double d, double epsilon);
  // Call when the temperature jumps.
  void freeze() { frozen_ = options_.freeze_steps; }

  double lambda() const { return lambda_; }
  // D_t, the average of the D given so far.
  double d() const { return d_.mean(); }
  DualReport report() const;

 private:
  DualAscentOptions options_;
  ExponentialAverage d_;
  double lambda_;
  int frozen_ = 0;
  std::int64_t steps_ = 0, violations_ = 0, at_max_ = 0, at_min_ = 0;
  double lambda_sum_ = 0, worst_excess_ = 0;
};

}  // namespace athanor::distill
