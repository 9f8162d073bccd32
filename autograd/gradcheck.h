// Checks gradients against central differences, in double precision. Part of the product: use it
// for your own operations.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace athanor {

struct GradcheckOptions {
  double step = 1e-6;  // of the central difference
  // Largest |analytic - numeric| relative to the largest |analytic| or |numeric| of the input,
  // which counts as at least `smallest`: below, the rounding of the differences shows.
  double tolerance = 1e-6;
  double smallest = 1e-3;
};

struct GradcheckResult {
  bool ok = true;
  double worst = 0;     // the largest relative error
  std::string message;  // where, when not ok
};

using DifferentiableFunction = std::function<Variable(const std::vector<Variable>&)>;

// Compares the gradient of a random weighting of f(inputs) with numeric differences, for every
// element of every floating f64 input; other inputs are constants.
GradcheckResult gradcheck(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options = {});

// The same for the gradient itself: checks the second derivatives.
GradcheckResult gradgradcheck(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options = {1e-6, 1e-5, 0.1});

}  // namespace athanor
