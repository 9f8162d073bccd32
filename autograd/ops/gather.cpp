#include "autograd/ops/gather.h"

#include "autograd/node.h"
#include "autograd/ops/shape.h"
#include "tensor/base/sizes.h"

namespace athanor {

Variable index_select(const Variable& x, int axis, const Tensor& index) {
  return record("index_select", index_select(x.tensor(), axis, index), {x},
                [n = x.size(axis), axis, index = Saved(index)](const Variable& dy, Gradients& d) {
                  d.set(0, index_add(dy, axis, index.get(d).tensor(), n));
                });
}

Variable index_add(const Variable& x, int axis, const Tensor& index, std::int64_t n) {
  return record("index_add", index_add(x.tensor(), axis, index, n), {x},
                [axis, index = Saved(index)](const Variable& dy, Gradients& d) {
                  d.set(0, index_select(dy, axis, index.get(d).tensor()));
                });
}

Variable take_along_axis(const Variable& x, const Tensor& index, int axis) {
  return record("take_along_axis", take_along_axis(x.tensor(), index, axis), {x},
                [n = x.size(axis), axis, index = Saved(index)](const Variable& dy, Gradients& d) {
                  d.set(0, scatter_add(dy, index.get(d).tensor(), axis, n));
                });
}

Variable scatter_add(const Variable& x, const Tensor& index, int axis, std::int64_t n) {
  return record("scatter_add", scatter_add(x.tensor(), index, axis, n), {x},
                [axis, index = Saved(index)](const Variable& dy, Gradients& d) {
                  d.set(0, take_along_axis(dy, index.get(d).tensor(), axis));
                });
}

Variable embedding(const Variable& weight, const Tensor& index) {
  if (weight.rank() != 2) {
    fail("embedding", "expected weight [V, D], got ", describe(weight.tensor()));
  }
  check_room("embedding", index.shape());
  Shape shape = index.shape();
  shape.push_back(weight.size(1));
  return reshape(index_select(weight, 0, reshape(index, {index.numel()})), shape);
}

}  // namespace athanor
