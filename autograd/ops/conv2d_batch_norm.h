// Convolution with batch norm behind it, with gradients. Arguments as in tensor/ops/conv2d.h and
// tensor/ops/batch_norm.h.
#pragma once

#include <optional>

#include "autograd/variable.h"
#include "tensor/ops/conv2d_batch_norm.h"

namespace athanor {

struct Conv2dBatchNormOptions {
  Conv2dOptions conv;
  BatchNormOptions norm;
  std::optional<Pool2dOptions> pool;  // max_pool2d of the result
};

// batch_norm(z, gamma, beta, ...) for z = conv2d(x, w, b), or batch_norm_max_pool2d; shapes, dtypes
// and errors as of the two. In training on a CPU, in f32 and f64, the gradients are computed
// together: with dz = batch_norm_backward's dx,
// dx = conv2d_backward_input(dz, w), dw = conv2d_backward_weight(dz, x), db = sum of dz over N, H,
// W
Variable conv2d_batch_norm(const Variable& x, const Variable& w, const Variable& b,
                           const Variable& gamma, const Variable& beta, Tensor& running_mean,
                           Tensor& running_var, const Conv2dBatchNormOptions& options = {});

}  // namespace athanor
