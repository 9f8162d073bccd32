#include "autograd/ops/cross_entropy.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/gather.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"
#include "tensor/ops/where.h"

namespace athanor {
namespace {

// [B, K]: s / K everywhere, plus 1 - s at the target.
Tensor smoothed_targets(const Tensor& targets, std::int64_t K, double s, DType dtype) {
  const Tensor classes = arange(K, DType::i64, 0, 1, targets.device());
  const Tensor hit = cast(equal(unsqueeze(targets, 1), classes), dtype);
  return add(mul(hit, 1 - s), s / static_cast<double>(K));
}

}  // namespace

Variable cross_entropy_by_row(const Variable& logits, const Tensor& targets,
                              double label_smoothing) {
  if (autocasts("cross_entropy", logits)) {
    return cross_entropy_by_row(autocast("cross_entropy", logits), targets, label_smoothing);
  }
  const CrossEntropyRows rows = cross_entropy_rows(logits.tensor(), targets, label_smoothing);
  return record("cross_entropy", rows.loss, {logits},
                [x = Saved(logits), t = Saved(Variable(targets)), lse = rows.lse,
                 s = label_smoothing](const Variable& dy, Gradients& d) {
                  const Variable& logits = x.get(d);
                  const Tensor& targets = t.get(d).tensor();
                  if (!grad_enabled()) {
                    d.set(0, cross_entropy_grad(logits.tensor(), targets, lse, dy.tensor(), s));
                    return;
                  }
                  const Tensor t = smoothed_targets(targets, logits.size(1), s, logits.dtype());
                  d.set(0, unsqueeze(dy, 1) * (softmax(logits) - Variable(t)));
                });
}

Variable mean_over_rows(const char* op, const Variable& x, const Variable& weights) {
  if (x.numel() == 0) fail(op, "expected at least one row, got none");
  if (!weights.defined()) return mean(x);
  if (!(weights.shape() == x.shape())) {
    fail(op, "expected weights ", x.shape(), ", got ", describe(weights.tensor()));
  }
  return mean(x * weights);
}

Variable cross_entropy(const Variable& logits, const Tensor& targets, const Variable& weights,
                       double label_smoothing) {
  return mean_over_rows("cross_entropy", cross_entropy_by_row(logits, targets, label_smoothing),
                        weights);
}

Variable cross_entropy(const Variable& logits, const Tensor& targets,
                       const CrossEntropyOptions& options) {
  const char* op = "cross_entropy";
  if (targets.dtype() != DType::i64)
    fail(op, "expected targets of dtype i64, got ", describe(targets));
  Tensor counts = ones(targets.shape(), DType::boolean, targets.device()), classes = targets;
  if (options.ignore_class) {
    counts = not_equal(
        targets, scalar(static_cast<double>(*options.ignore_class), DType::i64, targets.device()));
    classes = where(counts, targets, scalar(0, DType::i64, targets.device()));
  }
  if (!any(counts).item()) fail(op, "expected at least one row that counts, got none");
  Tensor row_weights = cast(counts, logits.dtype());
  Variable rows = cross_entropy_by_row(logits, classes, options.label_smoothing);
  if (options.class_weights.defined()) {
    const Tensor& w = options.class_weights;
    if (!(w.shape() == Shape{logits.size(1)}) || w.dtype() != logits.dtype()) {
      fail(op, "expected class weights [", logits.size(1), "] of the logits' dtype, got ",
           describe(w));
    }
    const Tensor t =
        smoothed_targets(classes, logits.size(1), options.label_smoothing, logits.dtype());
    rows = neg(sum(Variable(mul(t, w)) * log_softmax(logits), {1}));
    const Tensor of_target = index_select(w, 0, classes);
    return div(sum(rows * Variable(row_weights)), Variable(sum(mul(of_target, row_weights))));
  }
  return div(sum(rows * Variable(row_weights)), Variable(sum(row_weights)));
}

Variable soft_cross_entropy(const Variable& logits, const Variable& targets,
                            const Variable& weights) {
  if (logits.rank() != 2 || !(logits.shape() == targets.shape())) {
    fail("soft_cross_entropy", "expected logits and targets [B, K], got ",
         describe(logits.tensor()), " and ", describe(targets.tensor()));
  }
  const Variable by_row = neg(sum(targets * log_softmax(logits), {1}));
  return mean_over_rows("soft_cross_entropy", by_row, weights);
}

Variable nll(const Variable& log_probabilities, const Tensor& targets, const Variable& weights) {
  const Variable& x = log_probabilities;
  if (x.rank() != 2 || targets.rank() != 1) {
    fail("nll", "expected log-probabilities [B, K] and targets [B], got ", describe(x.tensor()),
         " and ", describe(targets));
  }
  const Variable chosen = squeeze(take_along_axis(x, unsqueeze(targets, 1), 1), 1);
  return mean_over_rows("nll", neg(chosen), weights);
}

Variable gce(const Variable& logits, const Tensor& targets, double q, const Variable& weights) {
  if (!(q > 0 && q <= 1)) fail("gce", "expected q in (0, 1], got ", q);
  // p_y^q = exp(-q CE), so that (1 - p_y^q) / q = -expm1(-q CE) / q without cancellation.
  const Variable power = expm1(mul(cross_entropy_by_row(logits, targets), -q));
  return mean_over_rows("gce", mul(power, -1 / q), weights);
}

}  // namespace athanor
