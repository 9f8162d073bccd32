// Losses of values, probabilities and directions, with gradients; composed of other operations and
// so differentiable any number of times. Losses of classes: cross_entropy.h; of distillation:
// kl_div.h.
//
// Both inputs broadcast. Floating dtypes. The targets get gradients too, unless they are constants.
// All throw, naming the op, for an undefined or integer input, two dtypes and shapes that do not
// fit.
#pragma once

#include "autograd/variable.h"

namespace athanor {

// What is returned: each element's loss, their sum, or their mean (an error for no elements).
enum class Reduction { none, sum, mean };

// (x - t)^2;  dx = 2 dy (x - t)
Variable mse_loss(const Variable& x, const Variable& targets,
                  Reduction reduction = Reduction::mean);
// |x - t|;  dx = dy sign(x - t)
Variable l1_loss(const Variable& x, const Variable& targets, Reduction reduction = Reduction::mean);
// d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = x - t (Huber 1964);
// dx = dy clamp(d, -delta, delta). Throws unless delta > 0.
Variable huber_loss(const Variable& x, const Variable& targets, double delta = 1,
                    Reduction reduction = Reduction::mean);
// huber_loss(delta = beta) / beta (Girshick 2015). Throws unless beta > 0.
Variable smooth_l1_loss(const Variable& x, const Variable& targets, double beta = 1,
                        Reduction reduction = Reduction::mean);
// -w t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) for logits x and targets t in [0, 1], stable
// for any finite x; w is the optional weight of the positive side;  for w = 1 dx = dy (sigmoid(x) -
// t)
Variable bce_with_logits(const Variable& logits, const Variable& targets,
                         Reduction reduction = Reduction::mean,
                         const Variable& positive_weight = {});
// KL(q || p) = sum over the last axis of q (log q - log p), for log p `log_probabilities` and
// probabilities q `targets` of one shape [..., K]; the mean is over the rows. q = 0 adds 0.
// dlog p = -dy q
Variable kl_div(const Variable& log_probabilities, const Variable& targets,
                Reduction reduction = Reduction::mean);
// a b / max(|a| |b|, epsilon) along `axis`, which disappears;
// da = dy (b / (|a| |b|) - y a / |a|^2) where the lengths exceed epsilon
Variable cosine_similarity(const Variable& a, const Variable& b, int axis = -1,
                           double epsilon = 1e-8);
// 1 - cos(a, b) where the label is 1, max(0, cos(a, b) - margin) where it is -1, along the last
// axis. a and b [B, D], labels [B] of any number dtype. Throws for another label.
// da = -dy dcos/da where the label is 1, dy dcos/da where it is -1 and cos > margin, else 0
Variable cosine_embedding_loss(const Variable& a, const Variable& b, const Tensor& labels,
                               double margin = 0, Reduction reduction = Reduction::mean);

}  // namespace athanor
