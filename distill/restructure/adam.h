// Adam with decoupled weight decay (Loshchilov & Hutter 2019) for the small models that
// restructuring fits to the units: a list of leaves, updated in one plain loop.
#pragma once

#include <vector>

#include "autograd/variable.h"

namespace athanor::distill {

class SmallAdam {
 public:
  // Contiguous f32 leaves that ask for gradients.
  SmallAdam(std::vector<Variable> parameters, double weight_decay);
  // One step from the gradients, which are cleared. A leaf without a gradient stays.
  void step(double lr);
  const std::vector<Variable>& parameters() const { return parameters_; }
  // Copies of the values.
  std::vector<Tensor> snapshot() const;

 private:
  std::vector<Variable> parameters_;
  std::vector<std::vector<float>> first_, second_;  // moments
  double weight_decay_;
  double decay1_ = 1, decay2_ = 1;  // 0.9^t, 0.999^t
};

}  // namespace athanor::distill
