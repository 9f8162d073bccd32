// Normalisation of each row (the last axis): layer normalisation (Ba, Kiros & Hinton 2016) and RMS
// normalisation (Zhang & Sennrich 2019). Floating dtypes; statistics are f32 for f16 and bf16. Each
// throws when shapes, dtypes or devices do not fit.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// y = (x - mean) / sqrt(variance + epsilon) gamma + beta, with mean and (biased) variance of the
// row. x [..., n]; gamma and beta [n], x's dtype, each may be undefined (1 and 0). Throws when
// shapes do not fit or epsilon < 0.
Tensor layer_norm(const Tensor& x, const Tensor& gamma = {}, const Tensor& beta = {},
                  double epsilon = 1e-5);
// y = x / sqrt(mean(x^2) + epsilon) gamma
Tensor rms_norm(const Tensor& x, const Tensor& gamma = {}, double epsilon = 1e-6);

// sum = x + residual, y = its normalisation, in one pass over memory: what a transformer block with
// the norm first does between its halves. x and residual have one shape.
struct AddNormResult {
  Tensor y, sum;
};
AddNormResult add_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma = {},
                             const Tensor& beta = {}, double epsilon = 1e-5);
AddNormResult add_rms_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma = {},
                           double epsilon = 1e-6);

// The parts of which they consist, for the gradient. An undefined residual adds nothing.
enum class RowNorm { layer, rms };
struct RowNormResult {
  Tensor y, sum, mean, rstd;  // sum: undefined without a residual; mean and rstd by row
};
RowNormResult row_norm(const char* op, RowNorm kind, const Tensor& x, const Tensor& residual,
                       const Tensor& gamma, const Tensor& beta, double epsilon);

// With xhat = (x - mean) rstd and g = dy gamma: dx = rstd (g - mean(g) - xhat mean(g xhat)) + dsum,
// where RMS normalisation has no mean(g); dgamma = sum of dy xhat and dbeta = sum of dy over the
// rows. gamma and dsum may be undefined.
struct RowNormGradients {
  Tensor dx, dgamma, dbeta;
};
RowNormGradients row_norm_backward(RowNorm kind, const Tensor& dy, const Tensor& x,
                                   const Tensor& gamma, const Tensor& mean, const Tensor& rstd,
                                   const Tensor& dsum = {});

}  // namespace athanor
