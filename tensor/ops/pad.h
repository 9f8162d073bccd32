// Padding with a constant.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace athanor {

// Elements added before and after an axis, both >= 0.
struct PadWidth {
  std::int64_t before = 0, after = 0;
};

// x in the middle of a larger tensor filled with `value`; one width an axis. Any dtype; the value
// is converted to it. Throws for a negative width, another number of widths than axes, and a value
// that an integer dtype does not hold.
Tensor pad(const Tensor& x, const std::vector<PadWidth>& widths, double value = 0);
// x without the widths: the reverse of pad. A view; any dtype. Throws for widths that are negative,
// do not fit the axes, or together exceed a size.
Tensor crop(const Tensor& x, const std::vector<PadWidth>& widths);

}  // namespace athanor
