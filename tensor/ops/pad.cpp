#include "tensor/ops/pad.h"

#include <limits>

#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

void check_widths(const char* op, const Tensor& x, const std::vector<PadWidth>& widths) {
  check_defined(op, "x", x);
  if (static_cast<int>(widths.size()) != x.rank()) {
    fail(op, "expected ", x.rank(), " widths, one an axis, got ", widths.size(), " (input ",
         describe(x), ")");
  }
  // A quarter of the range, so that sums of a size and two widths stay within it.
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max() / 4;
  for (const PadWidth& width : widths) {
    for (std::int64_t side : {width.before, width.after}) {
      if (side < 0 || side > kLargest) fail(op, "expected widths >= 0, got ", side);
    }
  }
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<PadWidth>& widths, double value) {
  check_widths("pad", x, widths);
  check_scalar("pad", value, x.dtype());
  Shape shape = x.shape();
  for (int i = 0; i < x.rank(); ++i) {
    const PadWidth& width = widths[static_cast<std::size_t>(i)];
    shape[i] += width.before + width.after;
  }
  Tensor y = full(shape, value, x.dtype(), x.device());
  Tensor middle = crop(y, widths);
  copy_(middle, x);
  return y;
}

Tensor crop(const Tensor& x, const std::vector<PadWidth>& widths) {
  check_widths("crop", x, widths);
  Tensor y = x;
  for (int i = 0; i < x.rank(); ++i) {
    const PadWidth& width = widths[static_cast<std::size_t>(i)];
    const std::int64_t stop = x.shape()[i] - width.after;
    if (stop < width.before) {
      fail("crop", "expected widths within axis ", i, ", got ", width.before, " and ", width.after,
           " (input ", describe(x), ")");
    }
    y = slice(y, i, width.before, stop);
  }
  return y;
}

}  // namespace athanor
