#include "autograd/ops/norm.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/where.h"
#include "tensor/ops/copy.h"

namespace athanor {

Variable var(const Variable& x, const Axes& axes, bool keepdim, int correction) {
  if (!x.defined() || !is_floating(x.dtype())) {
    fail("var", "expected a floating dtype for x, got ", describe(x.tensor()));
  }
  if (autocasts("var", x)) return var(autocast("var", x), axes, keepdim, correction);
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

Variable stddev(const Variable& x, const Axes& axes, bool keepdim, int correction) {
  return sqrt(var(x, axes, keepdim, correction));
}

Variable norm(const Variable& x, const Axes& axes, bool keepdim) {
  if (autocasts("norm", x)) return norm(autocast("norm", x), axes, keepdim);
  const Tensor y = sqrt(sum(square(x.tensor()), axes, keepdim));
  Shape kept = x.shape();
  const unsigned reduced = reduced_axes("norm", x.shape(), axes);
  for (int i = 0; i < x.rank(); ++i) {
    if (reduced >> i & 1u) kept[i] = 1;
  }
  return record("norm", y, {x},
                [x = Saved(x), y = SavedOutput(y), kept](const Variable& dy, Gradients& d) {
                  const Variable length = reshape(y.get(d), kept);
                  const Tensor zero = equal(length.tensor(), zeros_like(length.tensor()));
                  const Variable share = reshape(dy, kept) / masked_fill(length, zero, 1);
                  d.set(0, x.get(d) * masked_fill(share, zero, 0));
                });
}

Variable l2_normalize(const Variable& x, int axis, double epsilon) {
  if (!(epsilon > 0)) fail("l2_normalize", "expected epsilon > 0, got ", epsilon);
  return x * rsqrt(add(sum(square(x), {axis}, true), epsilon));
}

}  // namespace athanor
