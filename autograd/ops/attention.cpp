#include "autograd/ops/attention.h"

#include <cmath>
#include <limits>

#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/copy.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/unary.h"
#include "autograd/ops/where.h"
#include "tensor/ops.h"
#include "tensor/ops/device.h"

namespace athanor {
namespace {

// [B, H, L, X] as [B, Hkv, H / Hkv, L, X], which broadcasts against [B, Hkv, 1, L, X]; an axis of
// size 1 stays so.
Variable by_key_head(const Variable& x, std::int64_t key_heads) {
  if (x.size(1) == 1) return unsqueeze(x, 2);
  return reshape(x, {x.size(0), key_heads, x.size(1) / key_heads, x.size(2), x.size(3)});
}

// A mask of rank <= 4 as rank 4.
Variable with_four_axes(Variable mask) {
  while (mask.rank() < 4) mask = unsqueeze(mask, 0);
  return mask;
}

// Bool, broadcasts to the by_key_head scores [B, Hkv, H / Hkv, Lq, Lk]: whether query i sees key j.
Tensor sight_of(const Variable& q, const Variable& k, const AttentionOptions& options) {
  const std::int64_t Lq = q.size(2), Lk = k.size(2);
  const Device device = q.device();
  const Tensor j = arange(Lk, DType::i64, 0, 1, device);
  Tensor seen = greater_equal(j, scalar(0, DType::i64, device));
  if (options.causal) {
    const Tensor last =
        unsqueeze(arange(Lq, DType::i64, static_cast<double>(Lk - Lq), 1, device), 1);
    seen = less_equal(j, last);
  }
  if (options.key_lengths.defined()) {
    const Tensor lengths = reshape(options.key_lengths, {q.size(0), 1, 1, 1, 1});
    seen = logical_and(seen, less(j, lengths));
  }
  return seen;
}

// The probabilities p [B, Hkv, H / Hkv, Lq, Lk] in differentiable operations; 0 where not
// seen.
Variable attention_probabilities(const Variable& q, const Variable& k,
                                 const AttentionOptions& options, const Variable& mask) {
  const double scale = options.scale_for(q.size(3));
  const std::int64_t key_heads = k.size(1);
  Variable s = matmul(by_key_head(q, key_heads), transpose(unsqueeze(k, 2))) * scale;
  Tensor seen = sight_of(q, k, options);
  if (mask.defined()) {
    const Variable added = by_key_head(with_four_axes(mask), key_heads);
    const Tensor lowest =
        scalar(-std::numeric_limits<double>::infinity(), mask.dtype(), q.device());
    const Tensor hides = equal(added.tensor(), lowest);
    seen = logical_and(seen, logical_not(hides));
    s = s + masked_fill(added, hides, 0);
  }
  // A finite number below every score, so that a query that sees nothing has no NaN.
  const double hidden = q.dtype() == DType::f16 ? -6e4 : -1e30;
  const Tensor everywhere = expand(seen, s.shape());
  const Variable p = softmax(masked_fill(s, logical_not(everywhere), hidden));
  return masked_fill(p, logical_not(everywhere), 0);
}

// y [B, H, Lq, D] of by_key_head p and v.
Variable weighted_values(const Variable& p, const Variable& v, const Shape& shape) {
  return reshape(matmul(p, unsqueeze(v, 2)), shape);
}

void attention_gradients(const Variable& dy_in, const Variable& q, const Variable& k,
                         const Variable& v, const AttentionOptions& options, const Tensor& mask,
                         Gradients& d) {
  const double scale = options.scale_for(q.size(3));
  const std::int64_t key_heads = k.size(1);
  const Variable masked = mask.defined() ? Variable(mask) : Variable();
  const Variable p = attention_probabilities(q, k, options, masked);
  const Variable dy = by_key_head(dy_in, key_heads);
  if (d.needs(2)) d.set(2, sum(matmul(transpose(p), dy), {2}));
  const Variable dp = matmul(dy, transpose(unsqueeze(v, 2)));
  const Variable ds = p * (dp - sum(p * dp, {-1}, true)) * scale;
  if (d.needs(0)) d.set(0, reshape(matmul(ds, unsqueeze(k, 2)), q.shape()));
  if (d.needs(1)) d.set(1, sum(matmul(transpose(ds), by_key_head(q, key_heads)), {2}));
}

}  // namespace

Variable attention(const Variable& q, const Variable& k, const Variable& v,
                   const AttentionOptions& options, const Variable& mask) {
  const Tensor constant_mask = mask.defined() ? mask.tensor() : Tensor();
  const AttentionResult result =
      attention_with_lse(q.tensor(), k.tensor(), v.tensor(), options, constant_mask);
  if (mask.defined() && mask.requires_grad() && grad_enabled()) {
    return weighted_values(attention_probabilities(q, k, options, mask), v, q.shape());
  }
  return record("attention", result.y, {q, k, v},
                [q = Saved(q), k = Saved(k), v = Saved(v), y = SavedOutput(result.y),
                 lse = result.lse, options, constant_mask](const Variable& dy, Gradients& d) {
                  const Variable &query = q.get(d), &key = k.get(d), &value = v.get(d);
                  if (grad_enabled()) {
                    return attention_gradients(dy, query, key, value, options, constant_mask, d);
                  }
                  const AttentionGradients g =
                      attention_backward(dy.tensor(), query.tensor(), key.tensor(), value.tensor(),
                                         {y.get(d).tensor(), lse}, options, constant_mask);
                  d.set(0, g.dq);
                  d.set(1, g.dk);
                  d.set(2, g.dv);
                });
}

}  // namespace athanor
