// Normalisation of each row, with gradients. Arguments as in tensor/ops/layer_norm.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/layer_norm.h"

namespace athanor {

// With xhat = (x - mean) rstd and g = dy gamma:
//   dx = rstd (g - mean(g) - xhat mean(g xhat)),  dgamma = sum of dy xhat,  dbeta = sum of dy
Variable layer_norm(const Variable& x, const Variable& gamma = {}, const Variable& beta = {},
                    double epsilon = 1e-5);
// With xhat = x rstd and g = dy gamma: dx = rstd (g - xhat mean(g xhat)),  dgamma = sum of dy xhat
Variable rms_norm(const Variable& x, const Variable& gamma = {}, double epsilon = 1e-6);

// dx = dresidual = dsum + the gradient of the normalisation
struct AddNormVariables {
  Variable y, sum;
};
AddNormVariables add_layer_norm(const Variable& x, const Variable& residual,
                                const Variable& gamma = {}, const Variable& beta = {},
                                double epsilon = 1e-5);
AddNormVariables add_rms_norm(const Variable& x, const Variable& residual,
                              const Variable& gamma = {}, double epsilon = 1e-6);

}  // namespace athanor
