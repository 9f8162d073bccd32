// Principal components, by a symmetric eigen-decomposition of the covariance.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

struct Eigen {
  std::vector<double> values;   // falling
  std::vector<double> vectors;  // row i belongs to values[i]; length 1
};
// Eigenvalues and vectors of a symmetric matrix [d, d], row-major, by cyclic Jacobi rotations
// (Golub & Van Loan 8.5). Of each vector the component of largest size is made positive, so that
// the answer is unique up to equal values. Made for d up to some hundreds.
Eigen symmetric_eigen(std::vector<double> matrix, std::int64_t d);

struct Pca {
  Tensor mean;                    // [d]
  Tensor components;              // [m, d], rows of length 1, most variance first
  std::vector<double> variances;  // of all d components, population form
};
// The first m principal components of x [n, d] f32, 1 <= m <= d.
Pca fit_pca(const Tensor& x, std::int64_t m);
// (x - mean) components^T: [n, m].
Tensor project(const Pca& pca, const Tensor& x);
// The way back: codes components + mean, [n, d].
Tensor unproject(const Pca& pca, const Tensor& codes);

}  // namespace athanor::distill
