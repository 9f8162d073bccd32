// Running sums.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// y_i = x_0 + ... + x_i along `axis`; with `reverse` y_i = x_i + ... + x_(n-1). Floating
// dtypes keep their dtype, integers and bool are summed to i64. Throws for an axis out of range.
Tensor cumsum(const Tensor& x, int axis = -1, bool reverse = false);

}  // namespace athanor
