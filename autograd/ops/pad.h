// Padding with a constant, with gradients. Arguments as in tensor/ops/pad.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/pad.h"

namespace athanor {

// dx = dy without the padding
Variable pad(const Variable& x, const std::vector<PadWidth>& widths, double value = 0);
// dx = dy padded with 0
Variable crop(const Variable& x, const std::vector<PadWidth>& widths);

}  // namespace athanor
