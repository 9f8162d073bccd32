// Convolution of images.
//
// Activations have shape [N, C, H, W] and lie in N, H, W, C order in memory; an input in another
// order is copied first (layout.h counts that), results always are in that order. Floating dtypes;
// f16 and bf16 are summed in f32 or wider. set_winograd(true) allows fewer, differently rounded
// products in forward passes.
#pragma once

#include "tensor/backend/winograd.h"
#include "tensor/base/size2.h"
#include "tensor/ops/pool2d.h"
#include "tensor/tensor.h"

namespace athanor {

struct Conv2dOptions {
  Size2 stride = 1;
  Size2 padding = 0;  // zeros on both sides
  Size2 dilation = 1;
  std::int64_t groups = 1;
  bool relu = false;  // conv2d alone: negative results become 0, in the same pass
};

// y[n, o, i, j] = b[o] + sum over c, p, q of w[o, c, p, q] xpad[n, c', i s + p d, j s + q d]: the
// cross-correlation that deep learning calls convolution; c' counts within o's group.
// x [N, I, H, W], w [O, I / groups, kH, kW], b [O] or undefined, y [N, O, H', W'] with
// H' = (H + 2 padding - dilation (kH - 1) - 1) / stride + 1, rounded down. Throws when a shape does
// not fit, groups divides neither I nor O, or the padded input is smaller than the kernel.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b = {},
              const Conv2dOptions& options = {});

// The shape of that result, for x and w of these shapes; throws as `op` does when they do not fit.
Shape conv2d_shape(const char* op, const Shape& x, const Shape& w, const Conv2dOptions& options);

// max_pool2d(conv2d(x, w, b, options), pool); errors as of the two. On a CPU, with one group and no
// dilation, windows of 2 x 2 without padding that tile even H' and W' are taken in the pass that
// convolves, and the elements between are never stored.
Tensor conv2d_max_pool2d(const Tensor& x, const Tensor& w, const Tensor& b = {},
                         const Conv2dOptions& options = {}, const Pool2dOptions& pool = {});

// The gradient of conv2d for x of the given shape: dy [N, O, H', W'], result [N, I, H, W]. Throws
// as conv2d does, and when dy does not have the shape of its result.
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape,
                             const Conv2dOptions& options = {});

// The gradients for w of the given shape, and for b. Errors as above.
struct Conv2dWeightGradients {
  Tensor dw;  // [O, I / groups, kH, kW]
  Tensor db;  // [O]; undefined unless asked for
};
Conv2dWeightGradients conv2d_backward_weight(const Tensor& dy, const Tensor& x,
                                             const Shape& w_shape,
                                             const Conv2dOptions& options = {},
                                             bool with_bias = false);

}  // namespace athanor
