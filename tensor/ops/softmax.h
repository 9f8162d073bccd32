// Softmax and its relatives along one axis; stable for any finite input. Floating dtypes;
// another one, and an axis out of range, are errors.
#pragma once

#include "tensor/ops/reduce.h"
#include "tensor/tensor.h"

namespace athanor {

// exp(x) / sum exp(x) along `axis`.
Tensor softmax(const Tensor& x, int axis = -1);
// x - log sum exp(x) along `axis`.
Tensor log_softmax(const Tensor& x, int axis = -1);
// log sum exp(x) over `axes`, as in reduce.h: all if empty. Throws for no elements to reduce.
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, bool keepdim = false);

// Gradients with respect to x, from the result y and dy; all of one shape and dtype.
Tensor softmax_grad(const Tensor& y, const Tensor& dy, int axis = -1);
Tensor log_softmax_grad(const Tensor& y, const Tensor& dy, int axis = -1);

}  // namespace athanor
