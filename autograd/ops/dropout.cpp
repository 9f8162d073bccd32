#include "autograd/ops/dropout.h"

#include "autograd/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"

namespace athanor {

Variable dropout(const Variable& x, double p, Generator& generator, bool training) {
  if (!(p >= 0 && p < 1)) fail("dropout", "expected p in [0, 1), got ", p);
  if (!x.defined() || !is_floating(x.dtype())) {
    fail("dropout", "expected a floating dtype, got ", describe(x.tensor()));
  }
  if (!training || p == 0) return x;
  const Tensor kept = random_bernoulli(x.shape(), generator, 1 - p, x.device());
  return x * Variable(mul(cast(kept, x.dtype()), 1 / (1 - p)));
}

}  // namespace athanor
