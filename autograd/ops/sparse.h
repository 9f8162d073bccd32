// Sparse matrices times dense ones, with gradients for values and dense matrices.
// Arguments and errors as in tensor/ops/sparse.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/sparse.h"

namespace athanor {

// y = A x;  dx = A^T dy,  dvalues = dy x^T at A's places
Variable sparse_matmul(const SparsePattern& pattern, const Variable& values, const Variable& x);
// y = a b^T at the pattern's places;  with V the sparse matrix of dy, da = V b and db = V^T a
Variable sparse_dot(const SparsePattern& pattern, const Variable& a, const Variable& b);

}  // namespace athanor
