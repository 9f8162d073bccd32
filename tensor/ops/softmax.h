// Softmax and its relatives along one axis; stable for any finite input. Floating dtypes.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// exp(x) / sum exp(x) along `axis`.
Tensor softmax(const Tensor& x, int axis = -1);
// x - log sum exp(x) along `axis`.
Tensor log_softmax(const Tensor& x, int axis = -1);
// log sum exp(x) along `axis`, which disappears unless keepdim. Throws for an axis of size 0.
Tensor logsumexp(const Tensor& x, int axis = -1, bool keepdim = false);

// Gradients with respect to x, from the result y and dy; all of one shape and dtype.
Tensor softmax_grad(const Tensor& y, const Tensor& dy, int axis = -1);
Tensor log_softmax_grad(const Tensor& y, const Tensor& dy, int axis = -1);

}  // namespace athanor
