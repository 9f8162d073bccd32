// Reductions over groups of rows, with gradients. Segments as in tensor/ops/segment.h: x [n, ...],
// results [count, ...] unless a line says otherwise.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/segment.h"

namespace athanor {

// y_s = sum of x_i over the rows i of segment s;  dx_i = dy of i's segment
Variable segment_sum(const Variable& x, const Segments& segments);
// y_s = mean of x_i, 0 for an empty segment;  dx_i = dy of i's segment / its size
Variable segment_mean(const Variable& x, const Segments& segments);
// y_s = largest x_i in each column, 0 for an empty segment; NaN wins;  dx = dy at the row of the
// largest value (the first of equals), 0 elsewhere
Variable segment_max(const Variable& x, const Segments& segments);
// [n, ...]: y_i = exp(x_i) / sum of exp(x_j) over the rows j of i's segment, in each column; stable
// for any finite x;  dx_i = y_i (dy_i - sum of y_j dy_j)
Variable segment_softmax(const Variable& x, const Segments& segments);

}  // namespace athanor
