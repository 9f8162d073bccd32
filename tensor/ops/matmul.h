// Matrix products.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// c = a b as in NumPy: [..., M, K] x [..., K, N] -> [..., M, N] with the leading axes broadcast. A
// 1-dim a is a row, a 1-dim b a column, and that axis is absent from the result. Both floating of
// one dtype; any strides: transposed operands are read in place. Throws
// for a 0-dim operand, an integer dtype, two dtypes, and sizes that do not fit.
Tensor matmul(const Tensor& a, const Tensor& b);

// y = x w^T + bias: [..., I] x [O, I] (+ [O]) -> [..., O]. An undefined bias is left out. Floating,
// one dtype. Throws when a shape or dtype does not fit.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {});

}  // namespace athanor
