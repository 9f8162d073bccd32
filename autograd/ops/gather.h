// Reading and writing elements by index, with gradients. Arguments as in tensor/ops/gather.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/gather.h"

namespace athanor {

// dx = index_add of dy
Variable index_select(const Variable& x, int axis, const Tensor& index);
// dx = index_select of dy
Variable index_add(const Variable& x, int axis, const Tensor& index, std::int64_t n);
// dx = scatter_add of dy
Variable take_along_axis(const Variable& x, const Tensor& index, int axis);
// dx = take_along_axis of dy
Variable scatter_add(const Variable& x, const Tensor& index, int axis, std::int64_t n);
// Rows of `weight` [V, D] by index [...]: [..., D];  dweight = index_add of dy
Variable embedding(const Variable& weight, const Tensor& index);

}  // namespace athanor
