// Attention, with gradients. Arguments as in tensor/ops/attention.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/attention.h"

namespace athanor {

// With p = softmax of the scores and delta_i = dy_i . y_i:
//   dv_j = sum_i p_ij dy_i,  ds_ij = p_ij (dy_i . v_j - delta_i),  dmask = ds,
//   dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i
// Plain training never holds the Lq x Lk scores; gradients of gradients, and a mask that asks for a
// gradient, do.
Variable attention(const Variable& q, const Variable& k, const Variable& v,
                   const AttentionOptions& options = {}, const Variable& mask = {});

}  // namespace athanor
