#include "autograd/ops/softmax.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"

namespace athanor {

Variable softmax(const Variable& x, int axis) {
  if (autocasts("softmax", x)) return softmax(autocast("softmax", x), axis);
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
  if (autocasts("log_softmax", x)) return log_softmax(autocast("log_softmax", x), axis);
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

Variable logsumexp(const Variable& x, const Axes& axes, bool keepdim) {
  if (autocasts("logsumexp", x)) return logsumexp(autocast("logsumexp", x), axes, keepdim);
  Tensor y = logsumexp(x.tensor(), axes, keepdim);
  Shape kept = x.shape();
  const unsigned reduced = reduced_axes("logsumexp", x.shape(), axes);
  for (int i = 0; i < x.rank(); ++i) {
    if (reduced >> i & 1u) kept[i] = 1;
  }
  return record("logsumexp", y, {x},
                [x = Saved(x), y = SavedOutput(y), kept](const Variable& dy, Gradients& d) {
                  d.set(0, exp(x.get(d) - reshape(y.get(d), kept)) * reshape(dy, kept));
                });
}

}  // namespace athanor
