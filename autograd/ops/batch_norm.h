// Batch normalisation, with gradients. Arguments as in tensor/ops/batch_norm.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/batch_norm.h"

namespace athanor {

// Training: dgamma = sum of dy xhat, dbeta = sum of dy,
//           dx = gamma rstd (dy - dbeta / M - xhat dgamma / M).
// Inference: the same dgamma and dbeta, dx = gamma rstd dy, since the statistics are constants.
// With relu, dy counts as 0 where y <= 0.
Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta,
                    Tensor& running_mean, Tensor& running_var,
                    const BatchNormOptions& options = {});

// y = max_pool2d(batch_norm(x, ...), pool): the gradients of batch_norm, for the dy that
// max_pool2d_backward(dy, index, ...) gives.
Variable batch_norm_max_pool2d(const Variable& x, const Variable& gamma, const Variable& beta,
                               Tensor& running_mean, Tensor& running_var,
                               const BatchNormOptions& options = {},
                               const Pool2dOptions& pool = {});

}  // namespace athanor
