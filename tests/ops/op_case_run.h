// What the parts of the op-case driver share: inputs, results, comparison.
#pragma once

#include "tests/ops/op_case.h"

namespace athanor::test::detail {

std::vector<Tensor> cast_floating(const std::vector<Tensor>& inputs, DType dtype);
// The case's inputs, the floating ones of dtype `floating`.
std::vector<Tensor> make_inputs(const OpCase& c, DType floating);
// The same values in memory with gaps: every second element of the last axis.
Tensor spread(const Tensor& t);
// The same values with the first axis fastest in memory.
Tensor reversed_order(const Tensor& t);
std::vector<Variable> leaves_of(const OpCase& c, const std::vector<Tensor>& inputs);

struct Outcome {
  DType dtype = DType::f64;       // of the result
  Tensor value;                   // f64, on the CPU
  std::vector<Tensor> gradients;  // the same, one a differentiable input
};

struct How {
  int backward_calls = 1;
  bool create_graph = false;
  DType weights = DType::f64;  // the weights are exact in this dtype
};

// The result and the gradients of its sum with fixed weights.
Outcome evaluate(const OpCase& c, const std::vector<Tensor>& inputs, const How& how = {});
// Largest |a - b| relative to the largest |b| (at least 1e-3); NaN must meet NaN, Inf equal Inf.
double distance(const Tensor& a, const Tensor& b);
void compare(const char* what, const Outcome& got, const Outcome& expected, double tolerance);
bool same_bits(const Tensor& a, const Tensor& b);

// check_op_case() on the device that check_op_cases_on() chose; false when that is the CPU.
bool checked_on_device(const OpCase& c);

}  // namespace athanor::test::detail
