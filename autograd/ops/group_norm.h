// Group normalisation (Wu & He 2018) and its limit of one channel a group, with gradients.
#pragma once

#include "autograd/variable.h"

namespace athanor {

// xhat = (x - mean) rstd over each sample's group of C / groups channels and all their places, with
// rstd = 1 / sqrt(variance + eps), the variance divided by the number of elements; y = xhat gamma +
// beta. x [N, C, ...] of rank >= 2, gamma and beta [C] of x's dtype or undefined (1 and 0).
// Floating dtypes; f16 and bf16 are computed in f32. Throws when a shape does not fit or groups
// does not divide C. With g = dy gamma: dx = rstd (g - mean(g) - xhat mean(g xhat)), means over the
// group; dgamma = sum of dy xhat, dbeta = sum of dy, over all but channels
Variable group_norm(const Variable& x, std::int64_t groups, const Variable& gamma = {},
                    const Variable& beta = {}, double eps = 1e-5);

// Instance normalisation (Ulyanov et al. 2016): group_norm with one channel a group; shapes, dtypes
// and errors as there. With g = dy gamma: dx = rstd (g - mean(g) - xhat mean(g xhat)), means over
// the channel's places; dgamma = sum of dy xhat, dbeta = sum of dy, over all but channels
Variable instance_norm(const Variable& x, const Variable& gamma = {}, const Variable& beta = {},
                       double eps = 1e-5);

}  // namespace athanor
