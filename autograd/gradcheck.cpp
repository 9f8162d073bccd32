#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/binary.h"
#include "autograd/ops/reduce.h"
#include "tensor/ops/copy.h"
#include "tensor/random.h"

namespace athanor {
namespace {

bool is_checked(const Tensor& t) { return t.dtype() == DType::f64; }

std::vector<Variable> leaves_of(const std::vector<Tensor>& inputs) {
  std::vector<Variable> leaves;
  for (const Tensor& t : inputs) leaves.emplace_back(t, is_checked(t));
  return leaves;
}

// A fixed random weighting turns f's result into a scalar that depends on each element.
Variable weighted(const Variable& y) {
  Generator generator(0x67726164);
  return sum(mul(y, Variable(random_uniform(y.shape(), generator, 0.5, 1.5, y.dtype()))));
}

double value_of(const DifferentiableFunction& f, const std::vector<Tensor>& inputs) {
  // Recording stays on: f may itself take gradients.
  return weighted(f(leaves_of(inputs))).item();
}

// Central differences of f's weighted sum for each element of input k.
std::vector<double> differences(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                                std::size_t k, double step) {
  std::vector<Tensor> moved = inputs;
  const std::vector<double> base = inputs[k].to_vector<double>();
  std::vector<double> result;
  for (std::size_t i = 0; i < base.size(); ++i) {
    const auto at = [&](double delta) {
      std::vector<double> values = base;
      values[i] += delta;
      moved[k] = from_values(values, inputs[k].shape());
      return value_of(f, moved);
    };
    result.push_back((at(step) - at(-step)) / (2 * step));
  }
  return result;
}

}  // namespace

GradcheckResult gradcheck(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options) {
  const std::vector<Variable> leaves = leaves_of(inputs);
  const Variable y = weighted(f(leaves));
  GradcheckResult result;
  std::vector<Variable> wanted;
  for (const Variable& leaf : leaves) {
    if (leaf.requires_grad()) wanted.push_back(leaf);
  }
  if (wanted.empty()) fail("gradcheck", "expected at least one f64 input");
  if (y.numel() == 0 || !y.requires_grad()) {
    fail("gradcheck", "expected a result that depends on an f64 input, got a constant");
  }
  const std::vector<Variable> analytic = grad({y}, wanted, false, false, true);
  std::size_t next = 0;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!is_checked(inputs[k])) continue;
    const Variable& gradient = analytic[next++];
    const std::vector<double> expected =
        gradient.defined() ? gradient.tensor().to_vector<double>()
                           : std::vector<double>(static_cast<std::size_t>(inputs[k].numel()), 0.0);
    const std::vector<double> numeric = differences(f, inputs, k, options.step);
    double scale = options.smallest;
    for (std::size_t i = 0; i < numeric.size(); ++i) {
      scale = std::max({scale, std::abs(numeric[i]), std::abs(expected[i])});
    }
    for (std::size_t i = 0; i < numeric.size(); ++i) {
      const double error = std::abs(numeric[i] - expected[i]) / scale;
      if (error > result.worst || std::isnan(error)) result.worst = error;
      if (!(error <= options.tolerance) && result.ok) {
        result.ok = false;
        result.message = str("input ", k, " ", inputs[k].shape(), " element ", i, ": analytic ",
                             expected[i], ", numeric ", numeric[i], ", scale ", scale);
      }
    }
  }
  return result;
}

GradcheckResult gradgradcheck(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options) {
  const DifferentiableFunction gradient_of = [&f](const std::vector<Variable>& leaves) {
    const Variable y = weighted(f(leaves));
    std::vector<Variable> wanted;
    for (const Variable& leaf : leaves) {
      if (leaf.requires_grad()) wanted.push_back(leaf);
    }
    Variable total;
    for (const Variable& g : grad({y}, wanted, true, true, true)) {
      if (!g.defined()) continue;
      // Squares, so that a gradient linear in the inputs is still seen.
      const Variable term = sum(mul(g, g));
      total = total.defined() ? add(total, term) : term;
    }
    if (!total.defined()) fail("gradgradcheck", "expected a gradient, got none");
    // A gradient that is constant has no history; add a term that keeps the check well-formed.
    return add(total, mul(sum(wanted[0]), 1e-3));
  };
  return gradcheck(gradient_of, inputs, options);
}

}  // namespace athanor
