// Scaled dot product attention (Vaswani et al. 2017) that never holds the Lq x Lk scores. Floating
// dtypes; each throws when shapes, dtypes or devices do not fit.
#pragma once

#include <cmath>

#include "tensor/tensor.h"

namespace athanor {

struct AttentionOptions {
  // Query i sees keys j <= i + Lk - Lq: the queries are the last Lq positions of the keys', so that
  // one new token sees all keys of a cache. With Lq = Lk, j <= i.
  bool causal = false;
  // Of q k^T; 0 stands for 1 / sqrt(D).
  double scale = 0;
  double scale_for(std::int64_t D) const {
    return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(D));
  }
  // i64 [B]: batch b has key_lengths[b] keys, the rest is padding. Undefined: all have Lk.
  Tensor key_lengths = {};
};

// y[b, h, i, :] = sum_j p_ij v[b, g, j, :] with p_ij = softmax over j of
// scale q[b, h, i, :] . k[b, g, j, :] + mask[b, h, i, j], over the keys j that query i sees.
// q [B, H, Lq, D], k and v [B, Hkv, Lk, D]; H is a multiple of Hkv, and head h reads key head
// g = h / (H / Hkv) (grouped-query attention). `mask` broadcasts to [B, H, Lq, Lk]; undefined adds
// nothing. A query that sees no key has y = 0. Floating dtypes, all of q's.
//
// y's memory is in B, Lq, H, D order, so that transpose(y, 1, 2) is contiguous and joins the heads
// without a copy. Throws, naming the op, when a shape, dtype or device does not fit.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v,
                 const AttentionOptions& options = {}, const Tensor& mask = {});

// The same with lse [B, H, Lq], the logarithm of each query's sum of exponentials (-inf where it
// sees no key; f32 for f16 and bf16), which the gradient needs. Errors as above.
struct AttentionResult {
  Tensor y, lse;
};
AttentionResult attention_with_lse(const Tensor& q, const Tensor& k, const Tensor& v,
                                   const AttentionOptions& options = {}, const Tensor& mask = {});

// Gradients with respect to q, k and v, in their shapes and dtype. Errors as above.
struct AttentionGradients {
  Tensor dq, dk, dv;
};
AttentionGradients attention_backward(const Tensor& dy, const Tensor& q, const Tensor& k,
                                      const Tensor& v, const AttentionResult& result,
                                      const AttentionOptions& options = {},
                                      const Tensor& mask = {});

}  // namespace athanor
