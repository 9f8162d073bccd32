// The steps of einsum, the same for tensors and for variables: both find their own operations.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/ops/einsum.h"
#include "tensor/ops/reduce.h"

namespace athanor::detail {

// An equation checked against the operands. One character an axis: letters, and for the axes of
// "..." digits, counted from the right.
struct EinsumPlan {
  std::vector<std::string> inputs;
  std::string output;
  std::array<std::int64_t, 128> sizes{};  // by character

  std::int64_t size(char label) const { return sizes[static_cast<std::size_t>(label)]; }
  std::int64_t product(const std::string& labels) const {
    std::int64_t n = 1;
    for (char label : labels) n *= size(label);
    return n;
  }
};

EinsumPlan plan_einsum(std::string_view equation, const std::vector<Tensor>& operands);

inline bool has(const std::string& labels, char label) {
  return labels.find(label) != std::string::npos;
}

// A value and the names of its axes.
template <class T>
struct EinsumTerm {
  T value;
  std::string labels;
};

template <class T>
T with_axes_in_order(const EinsumTerm<T>& term, const std::string& order) {
  std::vector<int> axes;
  for (char label : order) axes.push_back(static_cast<int>(term.labels.find(label)));
  return permute(term.value, std::span<const int>(axes));
}

// Joins the two axes of each name that occurs twice: they go last, become one axis of n n elements,
// and every (n + 1)th of it is on the diagonal.
template <class T>
void take_diagonals(EinsumTerm<T>& term, const EinsumPlan& plan) {
  for (std::size_t i = 0; i < term.labels.size(); ++i) {
    const char label = term.labels[i];
    const std::size_t twin = term.labels.find(label, i + 1);
    if (twin == std::string::npos) continue;
    std::vector<int> axes;
    Shape shape;
    std::string rest;
    for (std::size_t k = 0; k < term.labels.size(); ++k) {
      if (k == i || k == twin) continue;
      axes.push_back(static_cast<int>(k));
      shape.push_back(plan.size(term.labels[k]));
      rest.push_back(term.labels[k]);
    }
    axes.push_back(static_cast<int>(i));
    axes.push_back(static_cast<int>(twin));
    const std::int64_t n = plan.size(label);
    shape.push_back(n * n);
    const T square = reshape(permute(term.value, std::span<const int>(axes)), shape);
    term = {slice(square, -1, 0, n * n, n + 1), rest + label};
    i = static_cast<std::size_t>(-1);  // from the start: a name may occur three times
  }
}

// Drops axes of size 1 that broadcast against larger ones.
template <class T>
void drop_broadcast_axes(EinsumTerm<T>& term, const EinsumPlan& plan) {
  for (int i = term.value.rank() - 1; i >= 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    if (term.value.shape()[i] == plan.size(term.labels[at])) continue;
    term.value = squeeze(term.value, i);
    term.labels.erase(at, 1);
  }
}

// Sums the axes whose names are not in `kept`.
template <class T>
void sum_others(EinsumTerm<T>& term, const std::string& kept) {
  Axes axes;
  std::string left;
  for (std::size_t i = 0; i < term.labels.size(); ++i) {
    if (has(kept, term.labels[i])) {
      left.push_back(term.labels[i]);
    } else {
      axes.push_back(static_cast<int>(i));
    }
  }
  if (axes.empty()) return;
  term = {sum(term.value, axes, false), left};
}

// The product of a and b, summed over the names that both have and `kept` lacks; every other name
// is in `kept`.
template <class T>
EinsumTerm<T> contract(const EinsumTerm<T>& a, const EinsumTerm<T>& b, const std::string& kept,
                       const EinsumPlan& plan) {
  std::string batch, left, summed, right;
  for (char label : a.labels) {
    (!has(b.labels, label) ? left : has(kept, label) ? batch : summed).push_back(label);
  }
  for (char label : b.labels) {
    if (!has(a.labels, label)) right.push_back(label);
  }
  Shape a_shape, b_shape, shape;
  if (!batch.empty()) {
    a_shape.push_back(plan.product(batch));
    b_shape = a_shape;
  }
  a_shape.push_back(plan.product(left));
  a_shape.push_back(plan.product(summed));
  b_shape.push_back(plan.product(summed));
  b_shape.push_back(plan.product(right));
  const T x = reshape(with_axes_in_order(a, batch + left + summed), a_shape);
  const T y = reshape(with_axes_in_order(b, batch + summed + right), b_shape);
  const std::string labels = batch + left + right;
  for (char label : labels) shape.push_back(plan.size(label));
  return {reshape(summed.empty() ? mul(x, y) : matmul(x, y), shape), labels};
}

template <class T>
T run_einsum(const EinsumPlan& plan, const std::vector<T>& operands) {
  std::vector<EinsumTerm<T>> terms;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    terms.push_back({operands[i], plan.inputs[i]});
    // Broadcast axes are distinct within an operand, and a name twice has one size.
    drop_broadcast_axes(terms.back(), plan);
    take_diagonals(terms.back(), plan);
  }
  EinsumTerm<T> result = terms[0];
  for (std::size_t i = 1; i < terms.size(); ++i) {
    std::string later = plan.output;
    for (std::size_t k = i + 1; k < terms.size(); ++k) later += terms[k].labels;
    sum_others(result, later + terms[i].labels);
    sum_others(terms[i], later + result.labels);
    result = contract(result, terms[i], later, plan);
  }
  sum_others(result, plan.output);
  return with_axes_in_order(result, plan.output);
}

}  // namespace athanor::detail
