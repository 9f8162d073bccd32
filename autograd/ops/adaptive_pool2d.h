// Pooling to a given size, with gradients: x [N, C, H, W] of any size gives [N, C, H', W'].
//
// Window i along the height holds the rows from floor(i H / H') up to ceil((i + 1) H / H'), without
// it: neighbours overlap when H' does not divide H. Floating dtypes. Throws unless x has rank 4 and
// at least one row and column, and the size is >= 1.
#pragma once

#include "autograd/variable.h"
#include "tensor/base/size2.h"

namespace athanor {

// The mean of each window;  dx = sum over the windows that hold a place of dy / window's area
Variable adaptive_avg_pool2d(const Variable& x, Size2 size);
// The largest value of each window, NaN wins;  dx = dy at the place of each window's maximum, the
// first of equals, 0 elsewhere
Variable adaptive_max_pool2d(const Variable& x, Size2 size);

}  // namespace athanor
