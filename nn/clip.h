// Gradient norms and clipping. Gradients are values that may share memory, so clipping replaces
// them and never writes in place.
#pragma once

#include <vector>

#include "autograd/variable.h"

namespace athanor::nn {

// Euclidean norm over the gradients of all parameters; those without one count as 0. NaN or Inf
// when any gradient has one.
double gradient_norm(const std::vector<Variable>& parameters);

// Multiplies every gradient by `factor`.
void scale_gradients(std::vector<Variable>& parameters, double factor);

// Scales the gradients so that their common norm is at most `limit` > 0; returns the norm before.
double clip_gradient_norm(std::vector<Variable>& parameters, double limit);

// Moves every element of the gradients into [-limit, limit], limit > 0.
void clip_gradient_value(std::vector<Variable>& parameters, double limit);

}  // namespace athanor::nn
