// Pooling of images: x [N, C, H, W], y [N, C, H', W'] with H' = (H + 2 padding - kernel) / stride +
// 1, rounded down. A stride of 0 stands for the kernel's size. Layout as in conv2d.h. Floating
// dtypes; f16 and bf16 are summed in f32 or wider; max_pool2d takes u8 as well, for quantised
// images.
//
// All throw unless 1 <= kernel <= the padded size, stride >= 0 and 0 <= padding <= kernel / 2.
#pragma once

#include "tensor/base/size2.h"
#include "tensor/tensor.h"

namespace athanor {

struct Pool2dOptions {
  Size2 kernel = 2;
  Size2 stride = 0;
  Size2 padding = 0;
};

// The largest value of each window; NaN wins, padding never does.
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options = {});

// The same with `index` [N, C, H', W'] i32: the place h W + w of the value in x's plane, the first
// of equals.
struct MaxPool2dResult {
  Tensor y, index;
};
MaxPool2dResult max_pool2d_with_index(const Tensor& x, const Pool2dOptions& options = {});
// The gradient: dx [N, C, H, W] is the sum of the dy whose index names the place.
Tensor max_pool2d_backward(const Tensor& dy, const Tensor& index, const Shape& x_shape,
                           const Pool2dOptions& options = {});
// x at the places of `index`: the adjoint of max_pool2d_backward.
Tensor max_pool2d_gather(const Tensor& x, const Tensor& index, const Pool2dOptions& options = {});

// Whether a pass that computes images of the shape `plane` on x's device can pool them as well: a
// CPU does so where windows of 2 x 2 without padding tile them.
bool pools_pairs(const Tensor& x, const Shape& plane, const Pool2dOptions& pool);

// The mean of each window of kernel.h * kernel.w values; padding counts as 0.
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options = {});
Tensor avg_pool2d_backward(const Tensor& dy, const Shape& x_shape,
                           const Pool2dOptions& options = {});

// The mean of each plane: [N, C, 1, 1]. Throws when a plane is empty.
Tensor global_avg_pool2d(const Tensor& x);

}  // namespace athanor
