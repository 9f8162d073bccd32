// Matrix products, with gradients. Arguments as in tensor/ops/matmul.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/matmul.h"

namespace athanor {

// c = a b;  da = dc b^T,  db = a^T dc
Variable matmul(const Variable& a, const Variable& b);
// y = x w^T + bias;  dx = dy w,  dw = dy^T x,  dbias = sum of dy over all but the last axis
Variable linear(const Variable& x, const Variable& w, const Variable& bias = {});

}  // namespace athanor
