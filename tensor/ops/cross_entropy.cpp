#include "tensor/ops/cross_entropy.h"

#include "tensor/ops/operand.h"

namespace athanor {
namespace {

// On a device the kernel looks at them (tensor/backend/cuda/stream.h, index_error).
void check_targets(const char* name, const Tensor& logits, const Tensor& targets) {
  if (targets.device().type != DeviceType::cpu) return;
  const std::int64_t* values = targets.data<std::int64_t>();
  const std::int64_t K = logits.size(1);
  for (std::int64_t b = 0; b < targets.numel(); ++b) {
    const std::int64_t target = values[b * targets.strides()[0]];
    if (target < 0 || target >= K) {
      fail(name, "expected targets in [0, ", K, "), got ", target, " at row ", b);
    }
  }
}

void check(const char* name, const Tensor& logits, const Tensor& targets, double smoothing) {
  check_dtype(name, "logits", logits, kRealDTypes, "a floating dtype");
  check_dtype(name, "targets", targets, {DType::i64}, "dtype i64");
  check_same_device(name, logits, targets);
  if (logits.rank() != 2 || logits.size(1) < 1) {
    fail(name, "expected logits [B, K] with K >= 1, got ", describe(logits));
  }
  if (!(targets.shape() == Shape{logits.size(0)})) {
    fail(name, "expected targets [", logits.size(0), "], got ", describe(targets));
  }
  if (!(smoothing >= 0 && smoothing < 1)) {
    fail(name, "expected label_smoothing in [0, 1), got ", smoothing);
  }
}

}  // namespace

CrossEntropyRows cross_entropy_rows(const Tensor& logits, const Tensor& targets,
                                    double label_smoothing) {
  check("cross_entropy", logits, targets, label_smoothing);
  check_targets("cross_entropy", logits, targets);
  CrossEntropyRows rows;
  rows.loss = empty({logits.size(0)}, logits.dtype(), logits.device());
  rows.lse = empty({logits.size(0)}, compute_dtype(logits.dtype()), logits.device());
  if (logits.numel() > 0) {
    launch("cross_entropy", &Kernels::cross_entropy, logits.dtype(), logits.device(),
           CrossEntropyArgs{operand(logits), operand(targets), label_smoothing, operand(rows.loss),
                            operand(rows.lse)});
  }
  return rows;
}

Tensor cross_entropy_grad(const Tensor& logits, const Tensor& targets, const Tensor& lse,
                          const Tensor& dloss, double label_smoothing) {
  check("cross_entropy_grad", logits, targets, label_smoothing);
  check_dtype("cross_entropy_grad", "lse", lse, {compute_dtype(logits.dtype())},
              "the dtype of cross_entropy_rows");
  check_dtype("cross_entropy_grad", "dloss", dloss, {logits.dtype()}, "the logits' dtype");
  for (const Tensor* t : {&lse, &dloss}) {
    if (!(t->shape() == targets.shape())) {
      fail("cross_entropy_grad", "expected ", targets.shape(), ", got ", describe(*t));
    }
  }
  Tensor dx = empty_like(logits);
  if (logits.numel() > 0) {
    launch("cross_entropy_grad", &Kernels::cross_entropy_grad, logits.dtype(), logits.device(),
           CrossEntropyGradArgs{operand(logits), operand(targets), operand(lse), operand(dloss),
                                label_smoothing, operand(dx)});
  }
  return dx;
}

}  // namespace athanor
