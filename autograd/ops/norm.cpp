#include "autograd/ops/norm.h"

#include "autograd/ops/binary.h"

namespace athanor {

Variable var(const Variable& x, const Axes& axes, bool keepdim, int correction) {
  const Variable center = x - mean(x, axes, true);
  const Variable total = sum(square(center), axes, keepdim);
  if (total.numel() == 0) return total;
  const std::int64_t n = x.numel() / total.numel();
  if (n <= correction) {
    fail("var", "expected more than ", correction, " elements to reduce, got ",
         describe(x.tensor()));
  }
  return mul(total, 1.0 / static_cast<double>(n - correction));
}

Variable norm(const Variable& x, const Axes& axes, bool keepdim) {
  return sqrt(sum(square(x), axes, keepdim));
}

Variable l2_normalize(const Variable& x, int axis, double epsilon) {
  if (!(epsilon > 0)) fail("l2_normalize", "expected epsilon > 0, got ", epsilon);
  return x * rsqrt(add(sum(square(x), {axis}, true), epsilon));
}

}  // namespace athanor
