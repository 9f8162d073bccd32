// Images at another size, with gradients. x [N, C, H, W] gives [N, C, H', W'], channels-last in
// memory. Floating dtypes. Throws unless x has rank 4 and at least one row and column, and the size
// is >= 1.
#pragma once

#include "autograd/variable.h"
#include "tensor/base/size2.h"

namespace athanor {

// Row i of the result is row floor(i H / H') of x, the columns alike;  dx = sum of dy over the
// places that show an element
Variable upsample_nearest2d(const Variable& x, Size2 size);

// Linear between the two nearest rows and columns. Row i of the result lies at (i + 1/2) H / H' -
// 1/2 of x, not beyond its edges; with align_corners at i (H - 1) / (H' - 1), so that the corners
// meet. For y = a + w (b - a) between neighbours a and b: da = sum of (1 - w) dy, db = sum of w dy
Variable upsample_bilinear2d(const Variable& x, Size2 size, bool align_corners = false);

}  // namespace athanor
