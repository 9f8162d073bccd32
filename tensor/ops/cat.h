// Joining tensors.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace athanor {

// Joins along `axis`; the other sizes, dtypes and devices agree. At least one tensor.
Tensor cat(const std::vector<Tensor>& parts, int axis = 0);
// Joins along a new axis before `axis` in [-rank - 1, rank]; all shapes agree.
Tensor stack(const std::vector<Tensor>& parts, int axis = 0);

}  // namespace athanor
