#include "tensor/ops/batch_norm.h"

#include <limits>

#include "tensor/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/layout.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/unary.h"

namespace athanor {
namespace {

void check_image(const char* op, const Tensor& x) {
  check_dtype(op, "x", x, kFloatDTypes, "f32 or f64");
  if (x.rank() != 2 && x.rank() != 4) {
    fail(op, "expected x [N, C] or [N, C, H, W], got ", describe(x));
  }
  if (x.shape()[1] < 1) fail(op, "expected at least one channel, got ", describe(x));
}

void check_channels(const char* op, const char* argument, const Tensor& t, const Tensor& x) {
  check_defined(op, argument, t);
  check_same_device(op, t, x);
  if (!(t.shape() == Shape{x.shape()[1]}) || t.dtype() != x.dtype()) {
    fail(op, "expected ", argument, " [", x.shape()[1], "] ", x.dtype(), ", got ", describe(t),
         " (x ", describe(x), ")");
  }
}

// running = (1 - momentum) running + momentum batch
void update_running(Tensor& running, const Tensor& batch, double momentum) {
  copy_(running, add(mul(running, 1 - momentum), mul(batch, momentum)));
}

// Mean and biased variance of the batch; also updates the running ones.
Tensor batch_statistics(const Tensor& x, Tensor& running_mean, Tensor& running_var,
                        const BatchNormOptions& options, Tensor& mean) {
  const std::int64_t M = x.numel() / x.shape()[1];
  if (M < 2) {
    fail("batch_norm", "expected at least 2 values a channel in training, got ", describe(x));
  }
  mean = empty(running_mean.shape(), x.dtype(), x.device());
  const Tensor variance = empty_like(mean);
  launch("batch_norm", &Kernels::batch_norm_statistics, x.dtype(), x.device(),
         BatchNormStatisticsArgs{operand(x), operand(mean), operand(variance)});
  update_running(running_mean, mean, options.momentum);
  const double unbiased = static_cast<double>(M) / static_cast<double>(M - 1);
  update_running(running_var, mul(variance, unbiased), options.momentum);
  return variance;
}

}  // namespace

BatchNormResult batch_norm_with_statistics(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                                           Tensor& running_mean, Tensor& running_var,
                                           const BatchNormOptions& options, bool pooled) {
  check_image("batch_norm", x);
  if (pooled && !batch_norm_pools(x, {})) {
    fail("batch_norm", "expected an image of even height and width on the CPU to pool, got ",
         describe(x));
  }
  check_channels("batch_norm", "gamma", gamma, x);
  check_channels("batch_norm", "beta", beta, x);
  check_channels("batch_norm", "running_mean", running_mean, x);
  check_channels("batch_norm", "running_var", running_var, x);
  const Tensor from = activation_layout(x);
  BatchNormResult result;
  Tensor variance;
  if (options.training) {
    variance = batch_statistics(from, running_mean, running_var, options, result.mean);
  } else {
    result.mean = clone(running_mean);  // the running one changes later
    variance = contiguous(running_var);
  }
  result.rstd = rsqrt(add(variance, options.eps));
  const Shape to = pooled ? Shape{x.size(0), x.size(1), x.size(2) / 2, x.size(3) / 2} : x.shape();
  result.y = empty_activation(to, x.dtype(), x.device());
  if (pooled) result.index = empty_activation(to, DType::i32, x.device());
  if (x.numel() == 0) return result;
  const Tensor scale = contiguous(gamma), shift = contiguous(beta);
  launch("batch_norm", &Kernels::batch_norm, x.dtype(), x.device(),
         BatchNormArgs{operand(from), operand(result.mean), operand(result.rstd), operand(scale),
                       operand(shift), operand(result.y), options.relu,
                       pooled ? operand(result.index) : Operand{}});
  return result;
}

bool batch_norm_pools(const Tensor& x, const Pool2dOptions& pool) {
  return x.defined() && pools_pairs(x, x.shape(), pool);
}

Tensor batch_norm_max_pool2d(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                             Tensor& running_mean, Tensor& running_var,
                             const BatchNormOptions& options, const Pool2dOptions& pool) {
  check_defined("batch_norm_max_pool2d", "x", x);
  if (const DType wide = compute_dtype(x.dtype()); wide != x.dtype()) {
    return cast(batch_norm_max_pool2d(cast(x, wide), cast(gamma, wide), cast(beta, wide),
                                      running_mean, running_var, options, pool),
                x.dtype());
  }
  if (batch_norm_pools(x, pool)) {
    return batch_norm_with_statistics(x, gamma, beta, running_mean, running_var, options, true).y;
  }
  return max_pool2d(batch_norm(x, gamma, beta, running_mean, running_var, options), pool);
}

Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, Tensor& running_mean,
                  Tensor& running_var, const BatchNormOptions& options) {
  check_defined("batch_norm", "x", x);
  if (const DType wide = compute_dtype(x.dtype()); wide != x.dtype()) {
    return cast(batch_norm(cast(x, wide), cast(gamma, wide), cast(beta, wide), running_mean,
                           running_var, options),
                x.dtype());
  }
  return batch_norm_with_statistics(x, gamma, beta, running_mean, running_var, options).y;
}

BatchNormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& gamma,
                                       const Tensor& beta, const Tensor& mean, const Tensor& rstd,
                                       bool relu, const Tensor& index) {
  constexpr const char* op = "batch_norm_backward";
  check_image(op, x);
  check_dtype(op, "dy", dy, kFloatDTypes, "f32 or f64");
  if (dy.dtype() != x.dtype() || (!index.defined() && !(dy.shape() == x.shape()))) {
    fail(op, "expected dy like x ", describe(x), ", got ", describe(dy));
  }
  if (index.defined()) {
    check_dtype(op, "index", index, {DType::i32}, "i32");
    if (!batch_norm_pools(x, {}) || !(index.shape() == dy.shape()) ||
        !(dy.shape() == Shape{x.size(0), x.size(1), x.size(2) / 2, x.size(3) / 2})) {
      fail(op, "expected dy and index of x's 2 x 2 windows, got ", describe(dy), " and ",
           describe(index), " (x ", describe(x), ")");
    }
  }
  check_channels(op, "gamma", gamma, x);
  check_channels(op, "beta", beta, x);
  check_channels(op, "mean", mean, x);
  check_channels(op, "rstd", rstd, x);
  if (x.numel() == 0) fail(op, "expected at least one value a channel, got ", describe(x));
  BatchNormGradients result{empty_activation(x.shape(), x.dtype(), x.device()),
                            empty(gamma.shape(), x.dtype(), x.device()),
                            empty(gamma.shape(), x.dtype(), x.device())};
  const Tensor from = activation_layout(x), gradient = activation_layout(dy);
  const Tensor scale = contiguous(gamma), shift = contiguous(beta);
  const Tensor centre = contiguous(mean), spread = contiguous(rstd);
  const Tensor place = index.defined() ? activation_layout(index) : index;
  launch(op, &Kernels::batch_norm_backward, x.dtype(), x.device(),
         BatchNormBackwardArgs{operand(from), operand(centre), operand(spread), operand(scale),
                               operand(shift), operand(gradient), operand(result.dx),
                               operand(result.dgamma), operand(result.dbeta), relu,
                               index.defined() ? operand(place) : Operand{}});
  return result;
}

}  // namespace athanor
