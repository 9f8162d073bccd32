// Pooling of images, with gradients. Arguments as in tensor/ops/pool2d.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/pool2d.h"

namespace athanor {

// dx = dy at the place of each window's maximum (the first of equals), 0 elsewhere
Variable max_pool2d(const Variable& x, const Pool2dOptions& options = {});
// Linear in dy: for a gradient v of the result, d(dy) = v at the places of `index`
Variable max_pool2d_backward(const Variable& dy, const Tensor& index, const Shape& x_shape,
                             const Pool2dOptions& options = {});
// Linear in x: dx = max_pool2d_backward(dy)
Variable max_pool2d_gather(const Variable& x, const Tensor& index,
                           const Pool2dOptions& options = {});
// dx = dy / kernel area, added up over the windows that hold a place
Variable avg_pool2d(const Variable& x, const Pool2dOptions& options = {});
// Linear in dy: for a gradient v of the result, d(dy) = avg_pool2d(v)
Variable avg_pool2d_backward(const Variable& dy, const Shape& x_shape,
                             const Pool2dOptions& options = {});
// dx = dy / (H W) everywhere
Variable global_avg_pool2d(const Variable& x);

}  // namespace athanor
