// One declaration of a case drives every test of an operation.
//
//   check_op_case({.name = "softmax", .inputs = {{{3, 5}}}, .run = [](const auto& x) {
//     return softmax(x[0], -1);
//   }});
//
// checks, for inputs drawn from Philox with a fixed seed:
//   - the fast f64 kernels against the reference kernels;
//   - the fast f32 kernels, forward and backward, against the f64 result;
//   - gradcheck and gradgradcheck in f64;
//   - the same values for non-contiguous inputs;
//   - two backward calls give twice the gradient;
//   - the same bits at 1, 2 and 4 threads.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace athanor::test {

struct CaseInput {
  Shape shape;
  double low = -2, high = 2;
  // Floating inputs are converted to the dtype under test; i64, u8 and bool inputs stay.
  DType dtype = DType::f64;
  bool differentiable = true;  // false: a constant floating input
};

struct OpCase {
  std::string name;  // the public op, then a variant: "softmax/axis0"
  std::vector<CaseInput> inputs;
  std::function<Variable(const std::vector<Variable>&)> run;
  bool gradient = true;          // false: only values are checked (say why at the case)
  bool second_gradient = true;   // false: gradgradcheck is skipped (say why at the case)
  bool numeric = true;           // false: inputs too large for numeric differences
  bool thread_invariant = true;  // false: bits may change with the thread count (say why)
  // Largest |f32 - f64| relative to the largest |f64| of the tensor, forward and backward.
  double tolerance_f32 = 1e-5;
  double gradcheck_tolerance = 1e-6;
};

// Runs all checks; failures are reported through Catch2 with the case's name.
void check_op_case(const OpCase& c);

}  // namespace athanor::test
