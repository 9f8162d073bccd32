#include "autograd/ops/where.h"

#include "autograd/node.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"

namespace athanor {

Variable where(const Tensor& condition, const Variable& a, const Variable& b) {
  return record("where", where(condition, a.tensor(), b.tensor()), {a, b},
                [c = Saved(condition)](const Variable& dy, Gradients& d) {
                  const Tensor& condition = c.get(d).tensor();
                  const Variable zero{scalar(0, dy.dtype(), dy.device())};
                  if (d.needs(0)) d.set(0, where(condition, dy, zero));
                  if (d.needs(1)) d.set(1, where(condition, zero, dy));
                });
}

Variable masked_fill(const Variable& x, const Tensor& mask, double value) {
  return record("masked_fill", masked_fill(x.tensor(), mask, value), {x},
                [m = Saved(mask)](const Variable& dy, Gradients& d) {
                  d.set(0, masked_fill(dy, m.get(d).tensor(), 0));
                });
}

}  // namespace athanor
