#include "tensor/ops/attention.h"

#include <cmath>

#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

void check_key_part(const char* op, const char* argument, const Tensor& t, const Tensor& q) {
  check_defined(op, argument, t);
  check_same_device(op, q, t);
  if (t.rank() != 4 || t.dtype() != q.dtype() || t.size(0) != q.size(0) || t.size(3) != q.size(3)) {
    fail(op, "expected ", argument, " [", q.size(0), ", Hkv, Lk, ", q.size(3), "] ", q.dtype(),
         ", got ", describe(t), " (q ", describe(q), ")");
  }
}

// Checked arguments that forward and backward share.
struct AttentionInputs {
  Tensor q, k, v, mask, key_lengths;
  double scale;

  AttentionInputs(const char* op, const Tensor& q, const Tensor& k, const Tensor& v,
                  const AttentionOptions& options, const Tensor& mask_in)
      : q(q), k(k), v(v), scale(options.scale) {
    check_dtype(op, "q", q, kRealDTypes, "a floating dtype");
    if (q.rank() != 4) fail(op, "expected q [B, H, Lq, D], got ", describe(q));
    check_key_part(op, "k", k, q);
    check_key_part(op, "v", v, q);
    if (!(k.shape() == v.shape())) {
      fail(op, "expected k and v of one shape, got ", describe(k), " and ", describe(v));
    }
    if (k.size(1) == 0 || q.size(1) % k.size(1) != 0) {
      fail(op, "expected q's heads to be a multiple of k's, got ", describe(q), " and ",
           describe(k));
    }
    if (!std::isfinite(scale)) fail(op, "expected a finite scale, got ", scale);
    scale = options.scale_for(q.size(3));
    if (options.key_lengths.defined()) key_lengths = checked_lengths(op, options.key_lengths);
    if (mask_in.defined()) mask = checked_mask(op, mask_in);
  }

  Tensor checked_lengths(const char* op, const Tensor& lengths) const {
    if (!(lengths.shape() == Shape{q.size(0)})) {
      fail(op, "expected key_lengths [", q.size(0), "], got ", describe(lengths));
    }
    return checked_index(op, q, lengths, k.size(2) + 1);
  }

  Tensor checked_mask(const char* op, const Tensor& t) const {
    check_same_device(op, q, t);
    const Shape scores{q.size(0), q.size(1), q.size(2), k.size(2)};
    if (t.dtype() != q.dtype()) {
      fail(op, "expected a mask of dtype ", q.dtype(), ", got ", describe(t));
    }
    if (!(broadcast_shape(op, t.shape(), scores) == scores)) {
      fail(op, "expected a mask that broadcasts to ", scores, ", got ", describe(t));
    }
    return expand(t, scores);
  }

  Operand mask_operand() const { return mask.defined() ? operand(mask) : Operand{}; }
  Operand lengths_operand() const {
    return key_lengths.defined() ? operand(key_lengths) : Operand{};
  }
};

// [B, H, L, D] with memory in B, L, H, D order.
Tensor empty_by_position(const Shape& shape, DType dtype, Device device) {
  return transpose(empty({shape[0], shape[2], shape[1], shape[3]}, dtype, device), 1, 2);
}

// Memory for dq, dk and dv. Where q, k and v are the thirds of one packed projection [B, L, 3 H D],
// so are their gradients, and putting them together costs nothing.
AttentionGradients empty_gradients(const Tensor& q, const Tensor& k, const Tensor& v) {
  const std::int64_t B = q.size(0), H = q.size(1), L = q.size(2), D = q.size(3);
  const auto follows = [&](const Tensor& next, const Tensor& t) {
    return next.storage() == t.storage() && next.shape() == t.shape() &&
           next.strides() == t.strides() && next.offset() == t.offset() + H * D;
  };
  if (q.device().type == DeviceType::cpu && follows(k, q) && follows(v, k)) {
    const Tensor packed = empty({B, L, 3, H, D}, q.dtype(), q.device());
    const auto third = [&](std::int64_t i) { return transpose(select(packed, 2, i), 1, 2); };
    return {third(0), third(1), third(2)};
  }
  return {empty_by_position(q.shape(), q.dtype(), q.device()),
          empty_by_position(k.shape(), q.dtype(), q.device()),
          empty_by_position(k.shape(), q.dtype(), q.device())};
}

}  // namespace

AttentionResult attention_with_lse(const Tensor& q, const Tensor& k, const Tensor& v,
                                   const AttentionOptions& options, const Tensor& mask) {
  const AttentionInputs in("attention", q, k, v, options, mask);
  AttentionResult result{
      empty_by_position(q.shape(), q.dtype(), q.device()),
      empty({q.size(0), q.size(1), q.size(2)}, compute_dtype(q.dtype()), q.device())};
  if (result.lse.numel() == 0 || q.size(3) == 0) return result;
  launch("attention", &Kernels::attention, q.dtype(), q.device(),
         AttentionArgs{operand(q), operand(k), operand(v), in.mask_operand(), in.lengths_operand(),
                       in.scale, options.causal, operand(result.y), operand(result.lse)});
  return result;
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options,
                 const Tensor& mask) {
  return attention_with_lse(q, k, v, options, mask).y;
}

AttentionGradients attention_backward(const Tensor& dy, const Tensor& q, const Tensor& k,
                                      const Tensor& v, const AttentionResult& result,
                                      const AttentionOptions& options, const Tensor& mask) {
  constexpr const char* op = "attention_backward";
  const AttentionInputs in(op, q, k, v, options, mask);
  for (const Tensor* t : {&dy, &result.y}) {
    check_defined(op, "dy and y", *t);
    check_same_device(op, q, *t);
    if (!(t->shape() == q.shape()) || t->dtype() != q.dtype()) {
      fail(op, "expected dy and y like q ", describe(q), ", got ", describe(*t));
    }
  }
  const Tensor lse = contiguous(result.lse);
  if (!(lse.shape() == Shape{q.size(0), q.size(1), q.size(2)}) ||
      lse.dtype() != compute_dtype(q.dtype())) {
    fail(op, "expected lse [B, H, Lq] of q ", describe(q), ", got ", describe(lse));
  }
  AttentionGradients g = empty_gradients(q, k, v);
  if (lse.numel() == 0 || g.dk.numel() == 0) {
    for (Tensor* t : {&g.dq, &g.dk, &g.dv}) fill_(*t, 0);
    return g;
  }
  launch(op, &Kernels::attention_backward, q.dtype(), q.device(),
         AttentionBackwardArgs{operand(q), operand(k), operand(v), in.mask_operand(),
                               in.lengths_operand(), in.scale, options.causal, operand(result.y),
                               operand(lse), operand(dy), operand(g.dq), operand(g.dk),
                               operand(g.dv)});
  return g;
}

}  // namespace athanor
