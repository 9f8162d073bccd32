// Softmax and its relatives, with gradients. Arguments as in tensor/ops/softmax.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/softmax.h"

namespace athanor {

// y_i = exp(x_i) / sum_j exp(x_j);  dx = y (dy - sum(y dy))
Variable softmax(const Variable& x, int axis = -1);
// y = x - log sum exp(x);  dx = dy - exp(y) sum(dy)
Variable log_softmax(const Variable& x, int axis = -1);
// y = log sum exp(x);  dx = dy exp(x - y)
Variable logsumexp(const Variable& x, const Axes& axes = {}, bool keepdim = false);

}  // namespace athanor
