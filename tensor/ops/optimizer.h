// Parameter updates in one pass over memory.
#pragma once

#include <span>

#include "tensor/tensor.h"

namespace athanor {

// A parameter p, its gradient g and its moments m and v: f32 or f64, one shape; p, m and v share
// their strides and are dense.
struct AdamWParameter {
  Tensor p, g, m, v;
  double rate, weight_decay;
};

struct AdamWRule {
  double beta1, beta2, epsilon;
  double correction1, correction2;  // 1 - beta^t
};

// One AdamW step (nn/optim.h) in place on p, m and v of each parameter, all of one dtype in one
// kernel. Bumps the versions of the p. Throws when a shape or dtype does not fit, before anything
// is written.
void adamw_(std::span<AdamWParameter> parameters, const AdamWRule& rule);

}  // namespace athanor
