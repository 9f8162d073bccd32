// Reductions over axes, with gradients. Axes as in tensor/ops/reduce.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/reduce.h"

namespace athanor {

// y = sum x;  dx = dy broadcast
Variable sum(const Variable& x, const Axes& axes = {}, bool keepdim = false);
// y = sum x / n;  dx = dy / n broadcast
Variable mean(const Variable& x, const Axes& axes = {}, bool keepdim = false);
// y = max x;  dx = dy at the largest elements, shared equally between ties
Variable amax(const Variable& x, const Axes& axes = {}, bool keepdim = false);
Variable amin(const Variable& x, const Axes& axes = {}, bool keepdim = false);
// The reverse of broadcasting;  dx = dy broadcast
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace athanor
