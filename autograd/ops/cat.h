// Joining variables, with gradients. Arguments as in tensor/ops/cat.h.
#pragma once

#include <vector>

#include "autograd/variable.h"
#include "tensor/ops/cat.h"

namespace athanor {

// The gradient of each part is its slice of dy.
Variable cat(const std::vector<Variable>& parts, int axis = 0);
Variable stack(const std::vector<Variable>& parts, int axis = 0);

}  // namespace athanor
