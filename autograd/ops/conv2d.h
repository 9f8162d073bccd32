// Convolution of images, with gradients. Arguments as in tensor/ops/conv2d.h.
//
// conv2d is bilinear in x and w, and so are its two gradients: each is the adjoint of the others,
// which is why all three are differentiable in terms of one another.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/conv2d.h"

namespace athanor {

// dx = conv2d_backward_input(dy, w), dw = conv2d_backward_weight(dy, x), db = sum of dy over N, H,
// W
Variable conv2d(const Variable& x, const Variable& w, const Variable& b = {},
                const Conv2dOptions& options = {});
// max_pool2d(conv2d(x, w, b, options), pool); in one pass where nobody asks for gradients. Else
// with g = max_pool2d_backward(dy): dx = conv2d_backward_input(g, w), dw =
// conv2d_backward_weight(g, x), db = sum of g over N, H, W
Variable conv2d_max_pool2d(const Variable& x, const Variable& w, const Variable& b = {},
                           const Conv2dOptions& options = {}, const Pool2dOptions& pool = {});
// For a gradient v of the result: d(dy) = conv2d(v, w), dw = conv2d_backward_weight(dy, v)
Variable conv2d_backward_input(const Variable& dy, const Variable& w, const Shape& x_shape,
                               const Conv2dOptions& options = {});
// For a gradient v of the result: d(dy) = conv2d(x, v), dx = conv2d_backward_input(dy, v)
Variable conv2d_backward_weight(const Variable& dy, const Variable& x, const Shape& w_shape,
                                const Conv2dOptions& options = {});

}  // namespace athanor
