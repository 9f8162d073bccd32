// Elements in another order along axes, with gradients. Arguments as in tensor/ops/flip.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/flip.h"

namespace athanor {

// dx = flip(dy)
Variable flip(const Variable& x, const Axes& axes = {});
// dx = dy rolled back
Variable roll(const Variable& x, std::int64_t shift, int axis = -1);

}  // namespace athanor
