#include "autograd/ops/flip.h"

#include "autograd/node.h"

namespace athanor {

Variable flip(const Variable& x, const Axes& axes) {
  return record("flip", flip(x.tensor(), axes), {x},
                [axes](const Variable& dy, Gradients& d) { d.set(0, flip(dy, axes)); });
}

Variable roll(const Variable& x, std::int64_t shift, int axis) {
  const std::int64_t n = x.shape()[normalize_axis("roll", axis, x.shape())];
  const std::int64_t back = n > 0 ? (n - shift % n) % n : 0;
  return record("roll", roll(x.tensor(), shift, axis), {x},
                [back, axis](const Variable& dy, Gradients& d) { d.set(0, roll(dy, back, axis)); });
}

}  // namespace athanor
