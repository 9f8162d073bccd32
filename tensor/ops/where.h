// Choice by a mask. Both throw when shapes do not broadcast, or the mask is not bool.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// a where `condition` (bool) holds, else b; all three broadcast. Dtypes of a and b are promoted.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
// x with `value` where `mask` (bool) holds; the mask broadcasts to x's shape.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

}  // namespace athanor
