#include "autograd/ops/sort.h"

#include "autograd/node.h"
#include "autograd/ops/gather.h"

namespace athanor {
namespace {

SortedVariable record_sorted(const char* op, const Variable& x, int axis, const Sorted& sorted) {
  Variable values = record(
      op, sorted.values, {x},
      [n = x.size(axis), axis, index = Saved(sorted.index)](const Variable& dy, Gradients& d) {
        d.set(0, scatter_add(dy, index.get(d).tensor(), axis, n));
      });
  return {std::move(values), sorted.index};
}

}  // namespace

SortedVariable sort(const Variable& x, int axis, bool descending) {
  return record_sorted("sort", x, axis, sort(x.tensor(), axis, descending));
}

SortedVariable topk(const Variable& x, std::int64_t k, int axis, bool largest) {
  return record_sorted("topk", x, axis, topk(x.tensor(), k, axis, largest));
}

}  // namespace athanor
