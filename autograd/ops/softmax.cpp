#include "autograd/ops/softmax.h"

#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"

namespace athanor {

Variable softmax(const Variable& x, int axis) {
  const Tensor value = softmax(x.tensor(), axis);
  return record("softmax", value, {x},
                [saved = SavedOutput(value), axis](const Variable& dy, Gradients& d) {
                  const Variable y = saved.get(d);
                  if (!grad_enabled()) {
                    d.set(0, softmax_grad(y.tensor(), dy.tensor(), axis));
                  } else {
                    d.set(0, y * (dy - sum(y * dy, {axis}, true)));
                  }
                });
}

Variable log_softmax(const Variable& x, int axis) {
  const Tensor value = log_softmax(x.tensor(), axis);
  return record("log_softmax", value, {x},
                [saved = SavedOutput(value), axis](const Variable& dy, Gradients& d) {
                  const Variable y = saved.get(d);
                  if (!grad_enabled()) {
                    d.set(0, log_softmax_grad(y.tensor(), dy.tensor(), axis));
                  } else {
                    d.set(0, dy - exp(y) * sum(dy, {axis}, true));
                  }
                });
}

Variable logsumexp(const Variable& x, int axis, bool keepdim) {
  Tensor y = logsumexp(x.tensor(), axis, keepdim);
  axis = normalize_axis("logsumexp", axis, x.shape());
  return record("logsumexp", std::move(y), {x},
                [x = Saved(x), axis, keepdim](const Variable& dy, Gradients& d) {
                  d.set(0, softmax(x.get(d), axis) * (keepdim ? dy : unsqueeze(dy, axis)));
                });
}

}  // namespace athanor
