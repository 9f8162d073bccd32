// Layout of activations, with gradients; shared by the image ops.
#pragma once

#include "autograd/node.h"
#include "tensor/ops/layout.h"

namespace athanor::detail {

// x itself if it is in the layout of activations or no image; else such a copy: turned once, where
// an operation and its gradient would each turn it. dx = dy
inline Variable activation_layout(const Variable& x) {
  if (!x.defined() || x.rank() != 4 || x.tensor().is_channels_last()) return x;
  return record("channels_last", athanor::activation_layout(x.tensor()), {x},
                [](const Variable& dy, Gradients& d) { d.set(0, dy); });
}

}  // namespace athanor::detail
