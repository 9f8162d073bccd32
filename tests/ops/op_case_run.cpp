#include "tests/ops/op_case_run.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/ops/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/device.h"
#include "tensor/random.h"

namespace athanor::test {

Tensor beside(const Variable& x, const Tensor& constant) {
  return x.defined() ? to(constant, x.device()) : constant;
}

namespace detail {
namespace {

// Weights that turn the result into a scalar; the same for each dtype.
Tensor weights_for(const Tensor& value, DType exact) {
  Generator generator(7);
  const Tensor weights = random_uniform(value.shape(), generator, 0.5, 1.5, DType::f64);
  return cast(cast(weights, exact), value.dtype());
}

Tensor exact_values(const Variable& v) { return cast(to(v.tensor(), Device{}), DType::f64); }

}  // namespace

std::vector<Tensor> cast_floating(const std::vector<Tensor>& inputs, DType dtype) {
  std::vector<Tensor> converted;
  for (const Tensor& t : inputs) {
    converted.push_back(is_floating(t.dtype()) ? cast(t, dtype) : t);
  }
  return converted;
}

std::vector<Tensor> make_inputs(const OpCase& c, DType floating) {
  Generator generator(20240917);
  std::vector<Tensor> inputs;
  for (const CaseInput& input : c.inputs) {
    const Tensor values = random_uniform(input.shape, generator, input.low, input.high, DType::f64);
    inputs.push_back(cast(values, is_floating(input.dtype) ? floating : input.dtype));
  }
  return inputs;
}

Tensor spread(const Tensor& t) {
  if (t.rank() == 0) return t;
  Shape wide = t.shape();
  wide[t.rank() - 1] *= 2;
  Tensor memory = zeros(wide, t.dtype(), t.device());
  Tensor view = slice(memory, -1, 0, wide.back(), 2);
  copy_(view, t);
  return view;
}

Tensor reversed_order(const Tensor& t) {
  std::vector<int> axes;
  for (int i = t.rank() - 1; i >= 0; --i) axes.push_back(i);
  return permute(contiguous(permute(t, axes)), axes);
}

std::vector<Variable> leaves_of(const OpCase& c, const std::vector<Tensor>& inputs) {
  std::vector<Variable> leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool wants = c.gradient && is_floating(inputs[i].dtype()) && c.inputs[i].differentiable;
    leaves.emplace_back(inputs[i], wants);
  }
  return leaves;
}

Outcome evaluate(const OpCase& c, const std::vector<Tensor>& inputs, const How& how) {
  const std::vector<Variable> leaves = leaves_of(c, inputs);
  const Variable y = c.run(leaves);
  Outcome outcome{y.dtype(), exact_values(y), {}};
  if (!c.gradient) return outcome;
  const Variable weights(to(weights_for(y.tensor(), how.weights), y.device()));
  if (how.create_graph) {
    std::vector<Variable> wanted;
    for (const Variable& leaf : leaves) {
      if (leaf.requires_grad()) wanted.push_back(leaf);
    }
    for (const Variable& gradient : grad({y}, wanted, true, false, false, {weights})) {
      outcome.gradients.push_back(exact_values(gradient));
    }
    return outcome;
  }
  for (int i = 0; i < how.backward_calls; ++i) y.backward(weights, i + 1 < how.backward_calls);
  for (const Variable& leaf : leaves) {
    if (!leaf.requires_grad()) continue;
    INFO("a differentiable input got no gradient");
    REQUIRE(leaf.grad().defined());
    REQUIRE(leaf.grad().shape() == leaf.shape());
    REQUIRE(leaf.grad().dtype() == leaf.dtype());
    outcome.gradients.push_back(exact_values(leaf.grad()));
  }
  return outcome;
}

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
  {
    INFO(what << ", forward");
    CHECK(distance(got.value, expected.value) <= tolerance);
  }
  REQUIRE(got.gradients.size() == expected.gradients.size());
  for (std::size_t i = 0; i < got.gradients.size(); ++i) {
    INFO(what << ", gradient " << i);
    CHECK(distance(got.gradients[i], expected.gradients[i]) <= tolerance);
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](double p, double q) {
    return std::bit_cast<std::uint64_t>(p) == std::bit_cast<std::uint64_t>(q);
  });
}

}  // namespace detail
}  // namespace athanor::test
