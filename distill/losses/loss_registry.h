// A program's own losses, which recipes weigh by loss.NAME or in [[losses]].
#pragma once

#include <functional>
#include <map>
#include <string>

#include "autograd/variable.h"

namespace athanor::distill {

// What a loss may look at, for one batch of the student.
struct LossInputs {
  const Variable& logits;        // [N, classes]
  const Variable& features;      // [N, width]
  const Tensor& labels;          // i64 [N], as given
  const Tensor& teacher_logits;  // f32 [N, classes]; undefined where no teacher guides
  double temperature;
};
// A scalar.
using LossFunction = std::function<Variable(const LossInputs&)>;

// Throws usage when the name is taken ("kd" and "relation" are). Not to be called during a run.
void register_loss(const std::string& name, LossFunction loss);
const std::map<std::string, LossFunction>& registered_losses();

}  // namespace athanor::distill
