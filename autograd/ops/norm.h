// Variance and norms: composed of other operations, differentiable any number of times.
//
// Floating dtypes. All throw, naming the op, for another dtype and for an axis out of range.
#pragma once

#include "autograd/ops/reduce.h"
#include "autograd/variable.h"

namespace athanor {

// mean((x - mean(x))^2) over `axes`, all if empty; divided by n - correction instead of n. Throws
// unless n > correction.
// dx = dy 2 (x - mean(x)) / (n - correction)
Variable var(const Variable& x, const Axes& axes = {}, bool keepdim = false, int correction = 0);
// y = sqrt(var), arguments as there;  dx = dy (x - mean(x)) / ((n - correction) y), which is not
// defined (NaN) where all values are equal
Variable stddev(const Variable& x, const Axes& axes = {}, bool keepdim = false, int correction = 0);
// y = sqrt(sum x^2) over `axes`, all if empty;  dx = dy x / y, and 0 (a subgradient) where y = 0
Variable norm(const Variable& x, const Axes& axes = {}, bool keepdim = false);
// y = x / r, r = sqrt(sum x^2 + epsilon), along `axis`; a row of zeros stays zero. Throws unless
// epsilon > 0.  dx = (dy - y sum(y dy)) / r
Variable l2_normalize(const Variable& x, int axis = -1, double epsilon = 1e-12);

}  // namespace athanor
