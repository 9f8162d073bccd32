// Reductions over axes. `axes` may be negative; an empty list means all axes. With keepdim the
// reduced axes stay with size 1. All throw for an axis out of range or named twice, and for a dtype
// that a line excludes.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace athanor {

using Axes = std::vector<int>;

// Floating dtypes keep their dtype, integers and bool (which counts as 0 and 1) are summed to i64.
// The sum of nothing is 0.
Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
// Floating dtypes. Throws for a mean of nothing.
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
// Largest and smallest value; NaN wins. Number dtypes, which stay. Throws for a maximum of nothing.
Tensor amax(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
// To bool: nonzero counts as true; any dtype.
Tensor any(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
Tensor all(const Tensor& x, const Axes& axes = {}, bool keepdim = false);

// Bit i is set when axis i of `shape` is among `axes`; throws for an axis out of range or named
// twice. `op` names the caller.
unsigned reduced_axes(const char* op, const Shape& shape, const Axes& axes);

// x summed to `shape`, the reverse of broadcasting: shape must broadcast to x's shape (an
// error otherwise). Number dtypes, which stay.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace athanor
