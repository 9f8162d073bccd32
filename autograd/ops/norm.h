// Variance and norms: composed of other operations, differentiable any number of times.
#pragma once

#include "autograd/ops/reduce.h"
#include "autograd/variable.h"

namespace athanor {

// mean((x - mean(x))^2) over `axes`, all if empty; divided by n - correction instead of n. Throws
// unless n > correction.
Variable var(const Variable& x, const Axes& axes = {}, bool keepdim = false, int correction = 0);
// sqrt(var). The gradient where all values are equal is not defined (NaN).
Variable stddev(const Variable& x, const Axes& axes = {}, bool keepdim = false, int correction = 0);
// y = sqrt(sum x^2) over `axes`, all if empty;  dx = dy x / y, and 0 (a subgradient) where y = 0
Variable norm(const Variable& x, const Axes& axes = {}, bool keepdim = false);
// x / sqrt(sum x^2 + epsilon) along `axis`; a row of zeros stays zero.
Variable l2_normalize(const Variable& x, int axis = -1, double epsilon = 1e-12);

}  // namespace athanor
