#include "autograd/ops/pad.h"

#include "autograd/node.h"

namespace athanor {

Variable pad(const Variable& x, const std::vector<PadWidth>& widths, double value) {
  return record("pad", pad(x.tensor(), widths, value), {x},
                [widths](const Variable& dy, Gradients& d) { d.set(0, crop(dy, widths)); });
}

Variable crop(const Variable& x, const std::vector<PadWidth>& widths) {
  return record("crop", crop(x.tensor(), widths), {x},
                [widths](const Variable& dy, Gradients& d) { d.set(0, pad(dy, widths)); });
}

}  // namespace athanor
