// Cross-entropy of logits against class numbers, fused with the softmax.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// Loss of each row, and the row's log sum exp, which the gradient needs: f32 for f16 and
// bf16 logits. Both [B].
struct CrossEntropyRows {
  Tensor loss, lse;
};

// loss[b] = log sum_k exp(x_bk) - (1 - s) x_b,target(b) - s mean_k x_bk, with s = label_smoothing
// in [0, 1) (Szegedy 2016). logits [B, K] floating with K >= 1, targets [B] i64 in [0, K). Throws
// when one does not fit.
CrossEntropyRows cross_entropy_rows(const Tensor& logits, const Tensor& targets,
                                    double label_smoothing = 0);
// The gradient of the rows' losses with respect to the logits; dloss [B] of the logits' dtype.
// Throws when a shape or dtype does not fit.
Tensor cross_entropy_grad(const Tensor& logits, const Tensor& targets, const Tensor& lse,
                          const Tensor& dloss, double label_smoothing = 0);

}  // namespace athanor
