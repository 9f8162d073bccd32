#include "autograd/ops/cumsum.h"

#include "autograd/autocast.h"
#include "autograd/node.h"

namespace athanor {

Variable cumsum(const Variable& x, int axis, bool reverse) {
  if (autocasts("cumsum", x)) return cumsum(autocast("cumsum", x), axis, reverse);
  return record(
      "cumsum", cumsum(x.tensor(), axis, reverse), {x},
      [axis, reverse](const Variable& dy, Gradients& d) { d.set(0, cumsum(dy, axis, !reverse)); });
}

}  // namespace athanor
