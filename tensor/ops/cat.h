// Joining tensors.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace athanor {

// Joins along `axis`; any dtype. Throws unless there is at least one tensor and the other sizes,
// dtypes and devices agree.
Tensor cat(const std::vector<Tensor>& parts, int axis = 0);
// Joins along a new axis before `axis` in [-rank - 1, rank]; any dtype. Throws unless there is at
// least one tensor and all shapes, dtypes and devices agree.
Tensor stack(const std::vector<Tensor>& parts, int axis = 0);

}  // namespace athanor
