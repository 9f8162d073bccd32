// The distillation loss: Kullback-Leibler divergence of softened outputs.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// Loss of each row, and the log-sum-exps that the gradient needs, f32 for f16 and bf16 logits. All
// [B].
struct KlDivRows {
  Tensor loss, student_lse, teacher_lse;
  Tensor slope;  // [B, K] derivative of each row's loss by its logits, or undefined
};

// Whether kl_div_rows() shall keep the slope, for a gradient that will be asked for. On a CPU it
// costs a pass over the row instead of a second round of exponentials; a GPU, which waits for
// memory either way, leaves it undefined.
enum class KlDivSlope { skip, keep };

// loss[b] = T^2 sum_k q_k (log q_k - log p_k), q = softmax(teacher_b / T), p = softmax(student_b /
// T); the factor T^2 keeps the gradient's scale (Hinton 2015). Both logits [B, K] of one floating
// dtype, K >= 1; T > 0. Throws otherwise.
KlDivRows kl_div_rows(const Tensor& student_logits, const Tensor& teacher_logits,
                      double temperature, KlDivSlope slope = KlDivSlope::skip);
// The gradient of the rows' losses with respect to the student's logits; dloss [B] of
// their dtype. Throws when a shape or dtype does not fit.
Tensor kl_div_grad(const Tensor& student_logits, const Tensor& teacher_logits,
                   const KlDivRows& rows, const Tensor& dloss, double temperature);

}  // namespace athanor
