// Arguments of the attention kernels.
#pragma once

#include "tensor/backend/args.h"

namespace athanor {

// Scaled dot product attention of each batch b and head h:
//   s_ij = scale q_i . k_j + mask_ij,  lse_i = log sum_j exp(s_ij),  y_i = sum_j exp(s_ij - lse_i)
//   v_j
// over the keys j that query i sees: j < key_lengths[b], and j <= i + Lk - Lq if causal. A query
// that sees no key has y_i = 0, lse_i = -inf.
//
// q and y [B, H, Lq, D]; k and v [B, Hkv, Lk, D], head h reads head h / (H / Hkv) of them; mask
// expanded to [B, H, Lq, Lk] (stride 0 where broadcast) or without data; key_lengths i64 [B],
// contiguous, in [0, Lk], or without data; lse [B, H, Lq] contiguous, f32 for f16 and bf16. Any
// strides. Decided by q's dtype, which the others have.
struct AttentionArgs {
  Operand q, k, v, mask, key_lengths;
  double scale;
  bool causal;
  Operand y, lse;
};

// With p_ij = exp(s_ij - lse_i) and delta_i = dy_i . y_i:
//   dv_j = sum_i p_ij dy_i,  ds_ij = p_ij (dy_i . v_j - delta_i),
//   dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i
// where the sums of dk and dv also run over the heads that share a key head. The gradients have the
// shapes of q, k and v, any strides.
struct AttentionBackwardArgs {
  Operand q, k, v, mask, key_lengths;
  double scale;
  bool causal;
  Operand y, lse, dy;
  Operand dq, dk, dv;
};

}  // namespace athanor
