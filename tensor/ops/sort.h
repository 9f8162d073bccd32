// Order along one axis. Number dtypes; NaN comes last in a sort, in both directions, and wins a
// maximum or minimum. All throw for bool and for an axis out of range.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// Values in order, and i64 positions along the axis where they were.
struct Sorted {
  Tensor values, index;
};

// Stable: equal values keep their order.
Sorted sort(const Tensor& x, int axis = -1, bool descending = false);
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);
// The k largest values (smallest, if not `largest`), the best first; 0 <= k <= size of the axis.
Sorted topk(const Tensor& x, std::int64_t k, int axis = -1, bool largest = true);
// The different values of x in ascending order, [m]; where each element of x stands in them, i64 of
// x's shape; and how often each occurs, i64 [m]. All NaN count as one value, which comes last.
struct Unique {
  Tensor values, index, counts;
};
Unique unique(const Tensor& x);
// Position of the largest (smallest) value, the first of several; i64 without `axis`, or with size
// 1 if keepdim. Throws for an axis of size 0.
Tensor argmax(const Tensor& x, int axis = -1, bool keepdim = false);
Tensor argmin(const Tensor& x, int axis = -1, bool keepdim = false);

}  // namespace athanor
