#include "autograd/ops/sparse.h"

#include "autograd/node.h"

namespace athanor {

Variable sparse_matmul(const SparsePattern& pattern, const Variable& values, const Variable& x) {
  const Tensor weights = values.defined() ? values.tensor() : Tensor();
  const bool weighted = values.defined();
  return record(
      "sparse_matmul", sparse_matmul(pattern, weights, x.tensor()), {values, x},
      [pattern, weighted, values = Saved(values), x = Saved(x)](const Variable& dy, Gradients& d) {
        if (d.needs(0)) d.set(0, sparse_dot(pattern, dy, x.get(d)));
        if (d.needs(1)) {
          const Variable kept = weighted ? values.get(d) : Variable();
          d.set(1, sparse_matmul(pattern.transposed(), kept, dy));
        }
      });
}

Variable sparse_dot(const SparsePattern& pattern, const Variable& a, const Variable& b) {
  return record("sparse_dot", sparse_dot(pattern, a.tensor(), b.tensor()), {a, b},
                [pattern, a = Saved(a), b = Saved(b)](const Variable& dy, Gradients& d) {
                  if (d.needs(0)) d.set(0, sparse_matmul(pattern, dy, b.get(d)));
                  if (d.needs(1)) d.set(1, sparse_matmul(pattern.transposed(), dy, a.get(d)));
                });
}

}  // namespace athanor
