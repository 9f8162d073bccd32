// Running sums.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// y_i = x_0 + ... + x_i along `axis`; with `reverse` y_i = x_i + ... + x_(n-1). Number dtypes.
Tensor cumsum(const Tensor& x, int axis = -1, bool reverse = false);

}  // namespace athanor
