// Reading the golden vectors that tests/golden/make_golden.py made, and comparing with them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "tensor/io/safetensors.h"

namespace athanor::test {

// The arrays of tests/golden/NAME.safetensors.
NamedTensors load_golden(const std::string& name);

// max |got - golden| / max |golden| over the elements; both are compared as f64. Shapes must be
// equal; NaN and infinities must meet their like, or the result is infinite.
double largest_error(const Tensor& got, const Tensor& golden);
// |got - golden| / |golden| in the Euclidean norm.
double norm_error(const Tensor& got, const Tensor& golden);

// Athanor's side of the cases in ops.safetensors, by name: "softmax/axis0".
using GoldenOp = std::function<Variable(const std::vector<Variable>&)>;
const std::map<std::string, GoldenOp>& golden_ops();

}  // namespace athanor::test
