#include "autograd/ops/losses.h"

#include "autograd/ops/binary.h"
#include "autograd/ops/norm.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/unary.h"
#include "autograd/ops/where.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

Variable reduce_loss(const char* op, const Variable& losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  if (reduction == Reduction::sum) return sum(losses);
  if (losses.numel() == 0) fail(op, "expected at least one element, got none");
  return mean(losses);
}

// Throws unless both are defined, floating and of one dtype.
void check_pair(const char* op, const Variable& a, const Variable& b) {
  for (const Variable* v : {&a, &b}) {
    if (!v->defined()) fail(op, "expected two defined inputs, got an undefined one");
    if (!is_floating(v->dtype()))
      fail(op, "expected a floating dtype, got ", describe(v->tensor()));
  }
  if (a.dtype() != b.dtype()) {
    fail(op, "expected inputs of one dtype, got ", describe(a.tensor()), " and ",
         describe(b.tensor()));
  }
  if (!(a.device() == b.device())) {
    fail(op, "expected both inputs on one device, got ", describe(a.tensor()), " and ",
         describe(b.tensor()));
  }
}

Variable difference(const char* op, const Variable& x, const Variable& targets) {
  check_pair(op, x, targets);
  broadcast_shape(op, x.shape(), targets.shape());
  return x - targets;
}

// With c = clamp(d, -delta, delta) both cases of the loss are c (d - c / 2).
Variable huber(const Variable& d, double delta) {
  const Variable c = clamp(d, -delta, delta);
  return c * (d - mul(c, 0.5));
}

}  // namespace

Variable mse_loss(const Variable& x, const Variable& targets, Reduction reduction) {
  return reduce_loss("mse_loss", square(difference("mse_loss", x, targets)), reduction);
}

Variable l1_loss(const Variable& x, const Variable& targets, Reduction reduction) {
  return reduce_loss("l1_loss", abs(difference("l1_loss", x, targets)), reduction);
}

Variable huber_loss(const Variable& x, const Variable& targets, double delta, Reduction reduction) {
  if (!(delta > 0)) fail("huber_loss", "expected delta > 0, got ", delta);
  const Variable d = difference("huber_loss", x, targets);
  return reduce_loss("huber_loss", huber(d, delta), reduction);
}

Variable smooth_l1_loss(const Variable& x, const Variable& targets, double beta,
                        Reduction reduction) {
  if (!(beta > 0)) fail("smooth_l1_loss", "expected beta > 0, got ", beta);
  const Variable d = difference("smooth_l1_loss", x, targets);
  return reduce_loss("smooth_l1_loss", mul(huber(d, beta), 1 / beta), reduction);
}

Variable bce_with_logits(const Variable& logits, const Variable& targets, Reduction reduction,
                         const Variable& positive_weight) {
  check_pair("bce_with_logits", logits, targets);
  broadcast_shape("bce_with_logits", logits.shape(), targets.shape());
  // -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x) = softplus(-x) + x.
  if (!positive_weight.defined()) {
    return reduce_loss("bce_with_logits", softplus(logits) - logits * targets, reduction);
  }
  check_pair("bce_with_logits", logits, positive_weight);
  const Variable positive = positive_weight * targets * softplus(-logits);
  return reduce_loss("bce_with_logits", positive + (1.0 - targets) * softplus(logits), reduction);
}

Variable kl_div(const Variable& log_probabilities, const Variable& targets, Reduction reduction) {
  check_pair("kl_div", log_probabilities, targets);
  if (!(log_probabilities.shape() == targets.shape()) || targets.rank() < 1) {
    fail("kl_div", "expected two inputs [..., K], got ", describe(log_probabilities.tensor()),
         " and ", describe(targets.tensor()));
  }
  // q log q is 0 at q = 0: the logarithm is taken of 1 there.
  const Tensor& q = targets.tensor();
  const Tensor zero = equal(q, zeros_like(q));
  const Variable log_q = log(masked_fill(targets, zero, 1));
  const Variable terms = masked_fill(targets * (log_q - log_probabilities), zero, 0);
  return reduce_loss("kl_div", sum(terms, {-1}), reduction);
}

Variable cosine_similarity(const Variable& a, const Variable& b, int axis, double epsilon) {
  check_pair("cosine_similarity", a, b);
  broadcast_shape("cosine_similarity", a.shape(), b.shape());
  if (!(epsilon > 0)) fail("cosine_similarity", "expected epsilon > 0, got ", epsilon);
  const Variable product = sum(a * b, {axis});
  const Variable lengths = norm(a, {axis}) * norm(b, {axis});
  return product / maximum(lengths, Variable(scalar(epsilon, a.dtype(), a.device())));
}

Variable cosine_embedding_loss(const Variable& a, const Variable& b, const Tensor& labels,
                               double margin, Reduction reduction) {
  const char* op = "cosine_embedding_loss";
  check_pair(op, a, b);
  if (a.rank() != 2 || !(a.shape() == b.shape()) || !(labels.shape() == Shape{a.size(0)})) {
    fail(op, "expected a and b [B, D] and labels [B], got ", describe(a.tensor()), ", ",
         describe(b.tensor()), " and ", describe(labels));
  }
  const Tensor sign = cast(labels, DType::f32);
  const Tensor same = equal(sign, scalar(1, DType::f32, sign.device())),
               other = equal(sign, scalar(-1, DType::f32, sign.device()));
  if (!all(logical_or(same, other)).item()) {
    fail(op, "expected labels 1 and -1, got others in ", describe(labels));
  }
  const Variable similarity = cosine_similarity(a, b);
  return reduce_loss(op, where(same, 1.0 - similarity, relu(similarity - margin)), reduction);
}

}  // namespace athanor
