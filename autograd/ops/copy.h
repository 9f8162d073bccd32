// Copies, with gradients. Arguments and errors as in tensor/ops/copy.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/copy.h"

namespace athanor {

// dx = dy
Variable clone(const Variable& x);
Variable contiguous(const Variable& x);
Variable channels_last(const Variable& x);
// dx = dy cast back
Variable cast(const Variable& x, DType dtype);

}  // namespace athanor
