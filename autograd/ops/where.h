// Choice by a mask, with gradients. Arguments as in tensor/ops/where.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/where.h"

namespace athanor {

// da = dy where the condition holds, db = dy elsewhere, 0 otherwise
Variable where(const Tensor& condition, const Variable& a, const Variable& b);
// dx = dy where the mask does not hold
Variable masked_fill(const Variable& x, const Tensor& mask, double value);

}  // namespace athanor
