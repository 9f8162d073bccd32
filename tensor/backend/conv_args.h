// Arguments of the kernels for images: convolution, pooling, batch normalisation.
//
// Images have shape [N, C, H, W] and, for the fast kernels, always N, H, W, C order in memory; the
// public ops see to that. The reference kernels take any strides.
#pragma once

#include "tensor/backend/args.h"
#include "tensor/base/size2.h"

namespace athanor {

// y[n, o, i, j] = b[o] + sum over c, p, q of w[o, c, p, q] x[n, c', i s + p d - pad, ...], where
// c' = c + (I / groups) * (the group of o). x [N, I, H, W], w [O, I / groups, kH, kW] row-major,
// b [O], y [N, O, H', W']. Three kernels share the struct, each writes one operand:
//   conv2d                  y from x, w, b (b.data may be null)
//   conv2d_backward_input   x from y, w
//   conv2d_backward_weight  w from x, y, and b = sum of y over N, H', W' (unless b.data is null)
// Decided by x's dtype, which all share.
struct Conv2dArgs {
  Size2 stride, padding, dilation;
  std::int64_t groups;
  Operand x, w, b, y;
  bool relu = false;  // conv2d alone: negative results become 0
  // conv2d of a CPU alone, with one group and no dilation: y [N, O, H' / 2, W' / 2], H' and W'
  // even, is the largest of each 2 x 2 window of what is said above.
  bool pool = false;
};

// Along one axis the values of a convolution's input whose distance from the first padded one is
// `first` modulo `stride` (first < stride) are reached by the kernel's taps first, first + stride,
// ...: how many those are.
inline std::int64_t taps_from(std::int64_t first, std::int64_t kernel, std::int64_t stride) {
  return kernel > first ? (kernel - first + stride - 1) / stride : 0;
}

// Windows of `kernel` over x [N, C, H, W], one an element of y [N, C, H', W'].
//   max_pool2d           y = the window's largest x (NaN wins, the first of equals),
//                        index = its place h * W + w in x's plane
//   max_pool2d_backward  x = sum of the y whose index is this place
//   max_pool2d_gather    y = x at index
//   avg_pool2d           y = sum of the window's x / kernel area; padding counts as 0
//   avg_pool2d_backward  x = sum of the y whose window holds this place / kernel area
// index is i32, row by row as y is; absent for avg_pool2d, and for max_pool2d where nobody asks for
// it (index.data is null). Decided by x's dtype, which is y's.
struct Pool2dArgs {
  Size2 kernel, stride, padding;
  Operand x, y, index;
};

// Normalises over all axes but channels (axis 1). x, y, dx, dy [N, C] or [N, C, H, W]; the others
// [C], contiguous. Decided by x's dtype, which all share.
//   batch_norm_statistics  mean, variance (biased) from x
//   batch_norm             y = (x - mean) rstd gamma + beta, then max(y, 0) if relu
//   batch_norm_backward    dgamma = sum of dy xhat, dbeta = sum of dy,
//                          dx = gamma rstd (dy - dbeta / M - xhat dgamma / M)
// with xhat = (x - mean) rstd, M = elements a channel, and dy counted as 0 where relu cut y.
//
// Where index has data (a CPU's kernels only), x has rank 4 and even H and W, and y or dy is [N, C,
// H / 2, W / 2]: the largest of each 2 x 2 window, with `index` as max_pool2d's, which batch_norm
// writes and batch_norm_backward reads.
struct BatchNormStatisticsArgs {
  Operand x, mean, variance;
};
struct BatchNormArgs {
  Operand x, mean, rstd, gamma, beta, y;
  bool relu;
  Operand index = {};
};
struct BatchNormBackwardArgs {
  Operand x, mean, rstd, gamma, beta, dy, dx, dgamma, dbeta;
  bool relu;
  Operand index = {};
};

// The gradients of batch_norm(conv2d(x, w, b), ...), all together: dx (unless its data is null), dw
// and db (unless null) from `conv`, whose x and w are those of the forward pass and whose y is its
// result, and from `norm`, whose x is that result too and whose dx is not used. As
// batch_norm_backward, then conv2d_backward_input and conv2d_backward_weight of what that gives. Of
// a CPU alone.
struct Conv2dBatchNormBackwardArgs {
  Operand dx, dw, db;
  Conv2dArgs conv;
  BatchNormBackwardArgs norm;
};

}  // namespace athanor
