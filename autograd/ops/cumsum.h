// Running sums, with gradients. Arguments as in tensor/ops/cumsum.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/cumsum.h"

namespace athanor {

// dx = the running sum of dy from the other end
Variable cumsum(const Variable& x, int axis = -1, bool reverse = false);

}  // namespace athanor
