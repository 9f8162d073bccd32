// Elements in another order along axes. Both throw for an axis out of range.
#pragma once

#include "tensor/ops/reduce.h"
#include "tensor/tensor.h"

namespace athanor {

// The elements in reverse order along each of `axes`; all axes if empty. Any dtype.
Tensor flip(const Tensor& x, const Axes& axes = {});
// Moves the elements `shift` places up along `axis`; those that leave at the end enter at the
// start: y[(i + shift) mod n] = x[i]. Any dtype; shift may be negative.
Tensor roll(const Tensor& x, std::int64_t shift, int axis = -1);

}  // namespace athanor
