// Classification losses, with gradients. logits [B, K] floating; targets [B] i64 class numbers.
//
// All throw, naming the op, for shapes that do not fit, an integer dtype of the logits and a target
// outside of [0, K). A mean over rows is (1/B) sum_b weights_b loss_b: weights, [B] and optional,
// are not normalised, so that a loss split into parts by weights adds up.
#pragma once

#include <optional>

#include "autograd/variable.h"
#include "tensor/ops/cross_entropy.h"

namespace athanor {

// Loss of each row, [B], fused with the softmax; see tensor/ops/cross_entropy.h.
// dlogits = dy (softmax(logits) - smoothed one-hot targets)
Variable cross_entropy_by_row(const Variable& logits, const Tensor& targets,
                              double label_smoothing = 0);
// Their mean over rows. Throws for no rows.
// dlogits_b = dy weights_b / B (softmax(logits_b) - smoothed target_b)
Variable cross_entropy(const Variable& logits, const Tensor& targets, const Variable& weights = {},
                       double label_smoothing = 0);
// The same with class weights and rows left out, as padding of sequences needs:
struct CrossEntropyOptions {
  double label_smoothing = 0;  // s in [0, 1)
  std::optional<std::int64_t> ignore_class =
      {};                     // rows with this target count neither above nor below
  Tensor class_weights = {};  // w [K] of the logits' dtype; ones if undefined
};
// sum_b loss_b / sum_b w_target(b) over the rows that count, with loss_b = -(1 - s) w_target log
// p_target - s / K sum_k w_k log p_k. Throws when no row counts.
// With W = sum_b w_target(b), t_b the smoothed target times w, and |t_b| its sum:
// dlogits_b = dy / W (|t_b| softmax(logits_b) - t_b) where row b counts, else 0
Variable cross_entropy(const Variable& logits, const Tensor& targets,
                       const CrossEntropyOptions& options);
// Mean over rows of -sum_k t_bk log softmax(logits)_bk; `targets` are probabilities [B, K].
// dlogits_b = dy weights_b / B (|t_b| softmax(logits_b) - t_b), |t_b| = sum_k t_bk;
// dtargets_b = -dy weights_b / B log softmax(logits_b)
Variable soft_cross_entropy(const Variable& logits, const Variable& targets,
                            const Variable& weights = {});
// Mean over rows of -x_b,target(b), for x = log-probabilities [B, K].
// dx_b = -dy weights_b / B at the target, else 0
Variable nll(const Variable& log_probabilities, const Tensor& targets,
             const Variable& weights = {});
// Generalised cross-entropy, mean over rows of (1 - p_y^q) / q with q in (0, 1]: cross-entropy for
// q -> 0, robust like the mean absolute error at q = 1 (Zhang & Sabuncu 2018).
// dlogits_b = dy weights_b / B p_y^q (softmax(logits_b) - one-hot target_b)
Variable gce(const Variable& logits, const Tensor& targets, double q = 0.7,
             const Variable& weights = {});

// (1/B) sum_b weights_b x_b for x [B]; the plain mean without weights. `op` names the caller.
// dx_b = dy weights_b / B
Variable mean_over_rows(const char* op, const Variable& x, const Variable& weights);

}  // namespace athanor
