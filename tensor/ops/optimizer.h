// Parameter updates in one pass over memory.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

struct AdamWStep {
  double rate, beta1, beta2, epsilon, weight_decay;
  double correction1, correction2;  // 1 - beta^t
};

// One AdamW step (nn/optim.h) in place on p, m and v, given the gradient g. f32 or f64, one shape;
// p, m and v share their strides and are dense. Bumps p's version. Throws when a shape or
// dtype does not fit.
void adamw_(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const AdamWStep& step);

}  // namespace athanor
