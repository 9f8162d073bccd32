#include "autograd/ops/copy.h"

#include "autograd/node.h"

namespace athanor {
namespace {

Variable record_copy(const char* op, const Variable& x, Tensor y) {
  return record(op, std::move(y), {x}, [](const Variable& dy, Gradients& d) { d.set(0, dy); });
}

}  // namespace

Variable clone(const Variable& x) { return record_copy("clone", x, clone(x.tensor())); }
Variable contiguous(const Variable& x) {
  return record_copy("contiguous", x, contiguous(x.tensor()));
}
Variable channels_last(const Variable& x) {
  return record_copy("channels_last", x, channels_last(x.tensor()));
}

Variable cast(const Variable& x, DType dtype) {
  const DType before = x.dtype();
  if (before == dtype) return x;
  return record("cast", cast(x.tensor(), dtype), {x},
                [before](const Variable& dy, Gradients& d) { d.set(0, cast(dy, before)); });
}

}  // namespace athanor
