#include "autograd/ops/batch_norm.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/copy.h"
#include "autograd/ops/pool2d.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/unary.h"
#include "tensor/base/compute_dtype.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"

namespace athanor {
namespace {

// [C] as [1, C] or [1, C, 1, 1].
Variable per_channel(const Variable& v, const Variable& x) {
  Shape shape = Dims::filled(x.rank(), 1);
  shape[1] = x.size(1);
  return reshape(v, shape);
}

Axes all_but_channels(const Variable& x) { return x.rank() == 4 ? Axes{0, 2, 3} : Axes{0}; }

// The rule in differentiable operations. In training the statistics are functions of x and are
// computed anew, so that second derivatives see them.
void composed_gradients(const Variable& dy_in, const Variable& x, const Variable& gamma,
                        const BatchNormResult& saved, const BatchNormOptions& options,
                        Gradients& d) {
  const Axes axes = all_but_channels(x);
  Variable centred, rstd;
  if (options.training) {
    centred = sub(x, mean(x, axes, true));
    rstd = rsqrt(mean(square(centred), axes, true) + options.eps);
  } else {
    centred = sub(x, per_channel(Variable(saved.mean), x));
    rstd = per_channel(Variable(saved.rstd), x);
  }
  const Variable xhat = mul(centred, rstd);
  Variable dy = dy_in;
  if (options.relu) {
    const Tensor zero = scalar(0, x.dtype(), x.device());
    dy = mul(dy, Variable(cast(greater(saved.y, zero), x.dtype())));
  }
  if (saved.index.defined()) dy = max_pool2d_backward(dy, saved.index, x.shape());
  if (d.needs(1)) d.set(1, sum(mul(dy, xhat), axes));
  if (d.needs(2)) d.set(2, sum(dy, axes));
  if (!d.needs(0)) return;
  Variable inner = dy;
  if (options.training) {
    inner = sub(sub(dy, mean(dy, axes, true)), mul(xhat, mean(mul(dy, xhat), axes, true)));
  }
  d.set(0, mul(mul(per_channel(gamma, x), rstd), inner));
}

// max_pool2d of the result with a `pool`.
Variable normalised(const Variable& x, const Variable& gamma, const Variable& beta,
                    Tensor& running_mean, Tensor& running_var, const BatchNormOptions& options,
                    const Pool2dOptions* pool) {
  if (autocasts("batch_norm", x)) {
    return normalised(autocast("batch_norm", x), gamma, beta, running_mean, running_var, options,
                      pool);
  }
  // In 16 bits too, the largest is chosen before the values are rounded.
  if (x.defined() && compute_dtype(x.dtype()) != x.dtype()) {
    const auto wide = [&](const Variable& v) { return cast(v, compute_dtype(x.dtype())); };
    return cast(
        normalised(wide(x), wide(gamma), wide(beta), running_mean, running_var, options, pool),
        x.dtype());
  }
  const bool pooled = pool && batch_norm_pools(x.tensor(), *pool);
  if (pool && !pooled) {
    return max_pool2d(normalised(x, gamma, beta, running_mean, running_var, options, nullptr),
                      *pool);
  }
  BatchNormResult result = batch_norm_with_statistics(x.tensor(), gamma.tensor(), beta.tensor(),
                                                      running_mean, running_var, options, pooled);
  const Tensor y = result.y;
  if (!options.relu) result.y = Tensor();  // only relu's gradient looks at it
  return record(pooled ? "batch_norm_max_pool2d" : "batch_norm", y, {x, gamma, beta},
                [x = Saved(x), gamma = Saved(gamma), beta = Saved(beta), saved = std::move(result),
                 options](const Variable& dy, Gradients& d) {
                  if (grad_enabled() || !options.training) {
                    return composed_gradients(dy, x.get(d), gamma.get(d), saved, options, d);
                  }
                  const BatchNormGradients g = batch_norm_backward(
                      dy.tensor(), x.get(d).tensor(), gamma.get(d).tensor(), beta.get(d).tensor(),
                      saved.mean, saved.rstd, options.relu, saved.index);
                  d.set(0, Variable(g.dx));
                  d.set(1, Variable(g.dgamma));
                  d.set(2, Variable(g.dbeta));
                });
}

}  // namespace

Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta,
                    Tensor& running_mean, Tensor& running_var, const BatchNormOptions& options) {
  return normalised(x, gamma, beta, running_mean, running_var, options, nullptr);
}

Variable batch_norm_max_pool2d(const Variable& x, const Variable& gamma, const Variable& beta,
                               Tensor& running_mean, Tensor& running_var,
                               const BatchNormOptions& options, const Pool2dOptions& pool) {
  return normalised(x, gamma, beta, running_mean, running_var, options, &pool);
}

}  // namespace athanor
