#include "autograd/ops/device.h"

#include "autograd/node.h"

namespace athanor {

Variable to(const Variable& x, Device device) {
  if (!x.defined()) fail("to", "expected a defined x, got an undefined one");
  const Device before = x.device();
  if (before == device) return x;
  return record("to", to(x.tensor(), device), {x},
                [before](const Variable& dy, Gradients& d) { d.set(0, to(dy, before)); });
}

}  // namespace athanor
