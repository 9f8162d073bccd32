// Symmetric matrices of a few hundred rows in a basis in which shifting them is cheap.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

// a = q t q', q orthogonal f64 [n, n], t tridiagonal: a + s I costs n operations a vector to solve
// with, for any s, where a factor of it would cost n^2.
struct Tridiagonal {
  Tensor q;
  std::vector<double> diagonal, beside;  // n; n - 1, of either side
};
// a f64 [n, n], symmetric. Householder (1958); the same bits on any number of threads.
Tridiagonal tridiagonalise(const Tensor& a);

}  // namespace athanor::distill
