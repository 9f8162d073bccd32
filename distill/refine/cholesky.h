// Symmetric positive definite systems of a few hundred unknowns.
#pragma once

#include "tensor/tensor.h"

namespace athanor::distill {

// Lower triangular L, f64 [n, n], with L L' = a + ridge * mean(diag a) I; a f64 [n, n] symmetric. A
// pivot that is not positive is taken as tiny, so that a singular `a` gives a finite L.
Tensor cholesky(const Tensor& a, double ridge);
// The inverse of a lower triangular matrix, f64 [n, n].
Tensor inverse_lower(const Tensor& lower);
// y'y f64 [n, n] of y f64 [rows, n], of which one half is computed: the bits of a whole product.
Tensor gram(const Tensor& y);
// y L^-T with y'y = L L': orthonormal columns that span those of y f64 [rows, n].
Tensor orthonormal_columns(const Tensor& y);

}  // namespace athanor::distill
