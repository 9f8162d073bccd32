// Batch normalisation (Ioffe & Szegedy 2015) over all axes but channels (axis 1).
//
// x [N, C] or [N, C, H, W] (layout as in conv2d.h); gamma, beta, mean, rstd, running_mean and
// running_var [C]. f32 and f64, all of x's dtype; f16 and bf16 x is computed in f32, with running
// statistics in f32.
#pragma once

#include "tensor/ops/pool2d.h"
#include "tensor/tensor.h"

namespace athanor {

struct BatchNormOptions {
  bool training = true;   // batch statistics, and running ones are updated; else running ones
  double momentum = 0.1;  // running = (1 - momentum) running + momentum batch
  double eps = 1e-5;      // added to the variance
  bool relu = false;      // y = max(y, 0) in the same pass
};

// y = (x - mean) / sqrt(variance + eps) gamma + beta. In training the variance that normalises is
// divided by M = N H W, the one that goes into running_var by M - 1. Throws when shapes do not fit,
// and in training when M < 2.
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, Tensor& running_mean,
                  Tensor& running_var, const BatchNormOptions& options = {});

// max_pool2d(batch_norm(x, ...), pool) for x [N, C, H, W]; errors as of the two. On a CPU, windows
// of 2 x 2 without padding that tile even H and W are taken in the pass that normalises, and the
// elements between are never stored.
Tensor batch_norm_max_pool2d(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                             Tensor& running_mean, Tensor& running_var,
                             const BatchNormOptions& options = {}, const Pool2dOptions& pool = {});
// Whether that is so for x and pool.
bool batch_norm_pools(const Tensor& x, const Pool2dOptions& pool);

// The parts of which batch_norm consists, for the gradient; errors as there. f32 and f64 only. With
// `pooled`, where batch_norm_pools() says so, y is the largest of each 2 x 2 window.
struct BatchNormResult {
  Tensor y, mean, rstd;  // the mean and 1 / sqrt(variance + eps) that normalised
  Tensor index;          // with `pooled`, as in max_pool2d_with_index
};
BatchNormResult batch_norm_with_statistics(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                                           Tensor& running_mean, Tensor& running_var,
                                           const BatchNormOptions& options, bool pooled = false);

// Gradients of the training form (throws for shapes and dtypes that differ from x's): dgamma = sum
// of dy xhat, dbeta = sum of dy, dx = gamma rstd (dy - dbeta / M - xhat dgamma / M), xhat = (x -
// mean) rstd. With an `index` dy is the gradient of what was pooled.
struct BatchNormGradients {
  Tensor dx, dgamma, dbeta;
};
BatchNormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& gamma,
                                       const Tensor& beta, const Tensor& mean, const Tensor& rstd,
                                       bool relu = false, const Tensor& index = Tensor());

}  // namespace athanor
