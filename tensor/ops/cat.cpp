#include "tensor/ops/cat.h"

#include "tensor/base/sizes.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

void check_parts(const char* op, const std::vector<Tensor>& parts) {
  if (parts.empty()) fail(op, "expected at least one tensor, got none");
  for (const Tensor& part : parts) {
    check_defined(op, "a part", part);
    check_same_device(op, parts[0], part);
    if (part.dtype() != parts[0].dtype()) {
      fail(op, "expected parts of one dtype, got ", describe(parts[0]), " and ", describe(part));
    }
  }
}

}  // namespace

Tensor cat(const std::vector<Tensor>& parts, int axis) {
  check_parts("cat", parts);
  axis = normalize_axis("cat", axis, parts[0].shape());
  Shape shape = parts[0].shape();
  shape[axis] = 0;
  for (const Tensor& part : parts) {
    Shape expected = parts[0].shape();
    if (part.rank() == expected.size()) expected[axis] = part.shape()[axis];
    if (!(part.shape() == expected)) {
      fail("cat", "expected shapes that agree but for axis ", axis, ", got ", describe(parts[0]),
           " and ", describe(part));
    }
    shape[axis] += part.shape()[axis];
  }
  const Tensor y = empty(shape, parts[0].dtype(), parts[0].device());
  std::int64_t at = 0;
  for (const Tensor& part : parts) {
    Tensor place = slice(y, axis, at, at + part.shape()[axis]);
    copy_(place, part);
    at += part.shape()[axis];
  }
  return y;
}

Tensor stack(const std::vector<Tensor>& parts, int axis) {
  check_parts("stack", parts);
  std::vector<Tensor> wide;
  for (const Tensor& part : parts) {
    if (!(part.shape() == parts[0].shape())) {
      fail("stack", "expected equal shapes, got ", describe(parts[0]), " and ", describe(part));
    }
    check_room("stack", part.shape());
    wide.push_back(unsqueeze(part, axis));
  }
  return cat(wide, axis < 0 ? axis + parts[0].rank() + 1 : axis);
}

}  // namespace athanor
