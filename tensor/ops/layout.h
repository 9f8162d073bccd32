// Layout of activations; shared by the image ops.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace athanor {

// How many times an image op of this process had to copy an activation into N, H, W, C order. A
// network whose input is in that order adds none.
std::int64_t reorder_count();

// x if it has rank 4 and is in N, H, W, C order already, or has rank 2 and is row-major; else such
// a copy, which reorder_count() counts.
Tensor activation_layout(const Tensor& x);
// New tensor in that layout.
Tensor empty_activation(const Shape& shape, DType dtype, Device device);

}  // namespace athanor
