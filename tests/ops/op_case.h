// One declaration of a case drives every test of an operation.
//
//   check_op_case({.name = "softmax", .inputs = {{{3, 5}}}, .run = [](const auto& x) {
//     return softmax(x[0], -1);
//   }});
//
// checks, for inputs drawn from Philox with a fixed seed:
//   - the fast f64 kernels against the reference kernels, forward and backward;
//   - the fast f32 kernels and the f16 and bf16 paths, forward and backward, against the f64 result
//     for the same (rounded) inputs;
//   - the result's dtype, and shape and dtype of each gradient;
//   - gradcheck and gradgradcheck in f64, and the backward of plain training (which may be fused)
//     against the one that records a graph;
//   - the same values for inputs with gaps in memory and with their axes in another order;
//   - two backward calls give twice the gradient;
//   - the same bits at 1, 2 and 4 threads, in deterministic mode and (but for a listed few) out of
//     it;
//   - empty and 0-dim inputs: a consistent result, or an error that names the op;
//   - integer and bool inputs: the f64 result in the integers' range, or an error that names the
//   op;
//   - an undefined input and inputs on two devices: an error that names the op;
//   - that the inputs keep their values.
// scripts/check_op_cases.py demands a case of every public operation.
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
  bool gradient = true;         // false: only values are checked (say why at the case)
  bool second_gradient = true;  // false: gradgradcheck is skipped (say why at the case)
  bool numeric = true;          // false: inputs too large for numeric differences
  // false: out of deterministic mode bits may change with the thread count (say why).
  bool thread_invariant = true;
  // Largest |f32 - f64| relative to the largest |f64| of the tensor, forward and backward.
  double tolerance_f32 = 1e-5;
  // The same for the 16-bit dtypes: a few roundings of 2^-9 and 2^-12.
  double tolerance_bf16 = 2e-2;
  double tolerance_f16 = 2.5e-3;
  double gradcheck_tolerance = 1e-6;
  // Further shapes of the inputs, empty or 0-dim, at which the op must work.
  std::vector<std::vector<Shape>> edges = {};
  bool cpu_only = false;  // true: on a device, an error that names the operation and the device
};

// Runs all checks; failures are reported through Catch2 with the case's name.
void check_op_case(const OpCase& c);

// `constant` on x's device: for what a case needs besides its inputs.
Tensor beside(const Variable& x, const Tensor& constant);

// From now on check_op_case() compares the device with the CPU instead: values and gradients in
// f32, f64, f16 and bf16, inputs with gaps and in another order, empty and integer inputs, and the
// same bits twice. `run` must make what it needs besides the inputs on their device.
void check_op_cases_on(Device device);

// A case of an operation on plain tensors, which has no gradient.
OpCase values_case(std::string name, std::vector<CaseInput> inputs,
                   std::function<Tensor(const std::vector<Tensor>&)> run);

}  // namespace athanor::test
