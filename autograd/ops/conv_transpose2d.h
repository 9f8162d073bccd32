// Transposed convolution of images, with gradients: the upsampling step of decoders.
#pragma once

#include "autograd/variable.h"
#include "tensor/base/size2.h"

namespace athanor {

struct ConvTranspose2dOptions {
  Size2 stride = 1;
  Size2 padding = 0;         // cut from each side of the result
  Size2 output_padding = 0;  // added at the bottom and the right, in [0, stride)
  Size2 dilation = 1;
  std::int64_t groups = 1;
};

// The adjoint of conv2d as an operation ("deconvolution"; Zeiler et al. 2010): w[o, c, p, q]
// x[n, o, i, j] is added to y at row i s + p d - padding and the column alike. x [N, I, H, W],
// w [I, O / groups, kH, kW], b [O] or undefined, y [N, O, H', W'] with
// H' = (H - 1) stride - 2 padding + dilation (kH - 1) + output_padding + 1. Layout as in
// tensor/ops/conv2d.h. Floating, one dtype. Throws when a shape does not fit, groups does not
// divide I, output_padding >= stride, or the result would be empty. dx = conv2d(dy, w);  dw =
// conv2d_backward_weight(x, dy);  db = sum of dy over N, H', W'
Variable conv_transpose2d(const Variable& x, const Variable& w, const Variable& b = {},
                          const ConvTranspose2dOptions& options = {});

}  // namespace athanor
