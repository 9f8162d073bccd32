// Arguments of the normalisations over rows.
#pragma once

#include "tensor/backend/args.h"

namespace athanor {

// Layer normalisation: y = (x - mean) rstd gamma + beta with the row's mean and
// rstd = 1 / sqrt(variance + epsilon). RMS normalisation: y = x rstd gamma with
// rstd = 1 / sqrt(mean(x^2) + epsilon); no mean, no beta.
enum class RowNormOp : std::uint8_t { layer_norm, rms_norm };

// x and y [rows, n], contiguous; gamma and beta [n] contiguous or without data (1 and 0); mean and
// rstd [rows], f32 for f16 and bf16. With `residual` [rows, n] x + residual is normalised and
// written to `sum`. Decided by x's dtype, which the others have.
struct RowNormArgs {
  RowNormOp op;
  double epsilon;
  Operand x, residual, gamma, beta;
  Operand y, sum, mean, rstd;
};

// With xhat = (x - mean) rstd and g = dy gamma:
//   dx = rstd (g - mean(g) - xhat mean(g xhat)), without the term mean(g) for rms_norm,
//   dgamma = sum over rows of dy xhat, dbeta = sum over rows of dy.
// `dsum` without data or [rows, n]: added to dx (the gradient of `sum`). dgamma and dbeta without
// data are not computed; both are contiguous [n].
struct RowNormBackwardArgs {
  RowNormOp op;
  Operand x, gamma, mean, rstd, dy, dsum;
  Operand dx, dgamma, dbeta;
};

}  // namespace athanor
