// Order along one axis, with gradients for the values. Arguments as in tensor/ops/sort.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/sort.h"

namespace athanor {

struct SortedVariable {
  Variable values;
  Tensor index;
};

// dx = dy put back where the values were
SortedVariable sort(const Variable& x, int axis = -1, bool descending = false);
SortedVariable topk(const Variable& x, std::int64_t k, int axis = -1, bool largest = true);

}  // namespace athanor
