// One declaration of a layer drives its whole test: values and gradients against PyTorch's in
// tests/golden/layers.safetensors, f32 against f64, gradcheck, and the state dict there and back.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"
#include "tests/golden/golden.h"

namespace athanor::test {

using LayerInputs = std::vector<Variable>;

struct LayerCase {
  std::string name;  // of the golden case
  std::function<std::shared_ptr<nn::Module>(Generator&)> make;
  // The result of the module, module.forward(inputs[0]) unless given.
  std::function<Variable(nn::Module&, const LayerInputs&)> run = {};
  bool training = true;
  // Of the differences in f64, where PyTorch's side computes a part in f32.
  double bound = 1e-11;
  // A table whose row 0 PyTorch gives no gradient, as padding: the row is not compared.
  std::string padded_table = {};
};

// `golden`: the arrays of layers.safetensors.
void check_layer(const NamedTensors& golden, const LayerCase& layer);

// gradcheck of inputs and parameters together, in f64.
void check_numerically(nn::Module& module, const LayerInputs& inputs,
                       const std::function<Variable(nn::Module&, const LayerInputs&)>& run);

// Every golden case whose name begins with one of `groups` has a case here; `compared` are theirs.
void check_all_compared(const NamedTensors& golden, const std::vector<std::string>& groups,
                        const std::vector<LayerCase>& compared);

}  // namespace athanor::test
