#include "tests/ops/op_case.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/gradcheck.h"
#include "tensor/backend/kernels.h"
#include "tensor/base/parallel.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace athanor::test {
namespace {

std::vector<Tensor> make_inputs(const OpCase& c, DType floating) {
  Generator generator(20240917);
  std::vector<Tensor> inputs;
  for (const CaseInput& input : c.inputs) {
    const Tensor values = random_uniform(input.shape, generator, input.low, input.high, DType::f64);
    inputs.push_back(cast(values, is_floating(input.dtype) ? floating : input.dtype));
  }
  return inputs;
}

// The same values in memory that is not contiguous: every second element of the last axis.
Tensor spread(const Tensor& t) {
  if (t.rank() == 0) return t;
  Shape wide = t.shape();
  wide[t.rank() - 1] *= 2;
  Tensor memory = zeros(wide, t.dtype());
  Tensor view = slice(memory, -1, 0, wide.back(), 2);
  copy_(view, t);
  return view;
}

std::vector<Variable> leaves_of(const OpCase& c, const std::vector<Tensor>& inputs) {
  std::vector<Variable> leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool wants = c.gradient && is_floating(inputs[i].dtype()) && c.inputs[i].differentiable;
    leaves.emplace_back(inputs[i], wants);
  }
  return leaves;
}

struct Outcome {
  Tensor value;                   // f64
  std::vector<Tensor> gradients;  // f64, one a differentiable input
};

// Weights that turn the result into a scalar; the same for each dtype.
Tensor weights_for(const Tensor& value) {
  Generator generator(7);
  return cast(random_uniform(value.shape(), generator, 0.5, 1.5, DType::f64), value.dtype());
}

Outcome evaluate(const OpCase& c, const std::vector<Tensor>& inputs, int backward_calls = 1) {
  const std::vector<Variable> leaves = leaves_of(c, inputs);
  const Variable y = c.run(leaves);
  Outcome outcome{cast(y.tensor(), DType::f64), {}};
  if (!c.gradient || y.numel() == 0) return outcome;
  const Variable weights(weights_for(y.tensor()));
  for (int i = 0; i < backward_calls; ++i) y.backward(weights, i + 1 < backward_calls);
  for (const Variable& leaf : leaves) {
    if (!leaf.requires_grad()) continue;
    INFO("a differentiable input got no gradient");
    REQUIRE(leaf.grad().defined());
    outcome.gradients.push_back(cast(leaf.grad().tensor(), DType::f64));
  }
  return outcome;
}

// Largest |a - b| relative to the largest |b| (at least 1e-3); NaN must meet NaN, Inf equal Inf.
double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  double scale = 1e-3, worst = 0;
  for (double v : y) {
    if (std::isfinite(v)) scale = std::max(scale, std::abs(v));
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double error = std::abs(x[i] - y[i]) / scale;
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

void compare(const char* what, const Outcome& got, const Outcome& expected, double tolerance) {
  INFO(what << ", forward");
  CHECK(distance(got.value, expected.value) <= tolerance);
  REQUIRE(got.gradients.size() == expected.gradients.size());
  for (std::size_t i = 0; i < got.gradients.size(); ++i) {
    INFO(what << ", gradient " << i);
    CHECK(distance(got.gradients[i], expected.gradients[i]) <= tolerance);
  }
}

void check_threads(const OpCase& c) {
  const std::vector<Tensor> inputs = make_inputs(c, DType::f32);
  const int before = num_threads();
  set_num_threads(1);
  const Outcome one = evaluate(c, inputs);
  for (int threads : {2, 4}) {
    set_num_threads(threads);
    compare("thread count", evaluate(c, inputs), one, 0);
  }
  set_num_threads(before);
}

void check_gradients(const OpCase& c, const std::vector<Tensor>& inputs) {
  // Constants are bound, so that gradcheck moves only what is differentiable.
  std::vector<Tensor> moving;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype() == DType::f64 && c.inputs[i].differentiable) moving.push_back(inputs[i]);
  }
  const DifferentiableFunction f = [&](const std::vector<Variable>& leaves) {
    std::vector<Variable> all;
    std::size_t next = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool moves = inputs[i].dtype() == DType::f64 && c.inputs[i].differentiable;
      all.push_back(moves ? leaves[next++] : Variable(inputs[i]));
    }
    return c.run(all);
  };
  const GradcheckResult first = gradcheck(f, moving, {1e-6, c.gradcheck_tolerance});
  INFO("gradcheck: " << first.message);
  CHECK(first.ok);
  if (!c.second_gradient) return;
  const GradcheckResult second = gradgradcheck(f, moving);
  INFO("gradgradcheck: " << second.message);
  CHECK(second.ok);
}

}  // namespace

void check_op_case(const OpCase& c) {
  INFO("op case " << c.name);
  const std::vector<Tensor> exact = make_inputs(c, DType::f64);
  Outcome expected;
  {
    UseReferenceKernels reference;
    expected = evaluate(c, exact);
  }
  // f64 leaves 1e-12 for a different order of summation.
  compare("f64 fast = reference", evaluate(c, exact), expected, 1e-12);
  compare("f32 fast = f64", evaluate(c, make_inputs(c, DType::f32)), expected, c.tolerance_f32);

  std::vector<Tensor> strided;
  for (const Tensor& t : make_inputs(c, DType::f32)) strided.push_back(spread(t));
  compare("strided inputs", evaluate(c, strided), expected, c.tolerance_f32);

  if (c.gradient && expected.value.numel() > 0) {
    const Outcome twice = evaluate(c, exact, 2);
    for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
      INFO("two backward calls, gradient " << i);
      CHECK(distance(twice.gradients[i], mul(expected.gradients[i], 2.0)) <= 1e-12);
    }
    if (c.numeric) check_gradients(c, exact);
  }
  if (c.thread_invariant) check_threads(c);
}

}  // namespace athanor::test
