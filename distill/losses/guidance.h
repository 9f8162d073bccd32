// What pulls a student towards its teacher's logits: the divergence of Hinton et al., or a loss of
// your own in its place.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace athanor::distill {

// The mean over the records of weight times distance: student and teacher logits [N, K], weights
// [N] or undefined for 1 everywhere; a 0-dim result. The teacher's logits need no gradient.
using GuidanceLoss = std::function<Variable(const Variable& student, const Variable& teacher,
                                            double temperature, const Variable& weights)>;

// From now on `name` is a value of loss.distance. Throws Error(usage) for a name that is taken. Not
// for use while other threads train.
void register_guidance_loss(const std::string& name, GuidanceLoss loss);

// "kl", then what was registered.
std::vector<std::string> guidance_losses();

// "kl": kl_div_with_temperature. Throws Error(usage) for an unknown name, and for a loss that
// returns anything but one number.
Variable guidance_loss(const std::string& name, const Variable& student, const Variable& teacher,
                       double temperature, const Variable& weights = {});

}  // namespace athanor::distill
