#include "tensor/ops/einsum.h"

#include <cctype>

#include "tensor/ops/binary.h"
#include "tensor/ops/einsum_steps.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace detail {
namespace {

constexpr char kEllipsis = '.';  // one character for the three dots of a parsed term

// The terms of an equation without spaces; "..." became one '.'.
struct Equation {
  std::vector<std::string> inputs;
  std::string output;
  bool has_output = false;
};

Equation parse(std::string_view text) {
  Equation equation{{""}, "", false};
  const auto refuse = [&](const char* expected, std::size_t at) {
    fail("einsum", "expected ", expected, " at position ", at, " of '", text, "'");
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    std::string& term = equation.has_output ? equation.output : equation.inputs.back();
    if (c == ' ') continue;
    if (c == ',' && !equation.has_output) {
      equation.inputs.emplace_back();
    } else if (text.substr(i, 2) == "->" && !equation.has_output) {
      equation.has_output = true;
      ++i;
    } else if (text.substr(i, 3) == "...") {
      if (has(term, kEllipsis)) refuse("one '...' a term", i);
      term.push_back(kEllipsis);
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(c))) {
      if (equation.has_output && has(term, c)) refuse("each letter once in the output", i);
      term.push_back(c);
    } else {
      refuse("letters, ',', '...' or one '->'", i);
    }
  }
  return equation;
}

// The term with '.' replaced by one digit for each of `count` axes.
std::string expand_ellipsis(const std::string& term, int count) {
  std::string labels;
  for (char c : term) {
    if (c != kEllipsis) {
      labels.push_back(c);
    } else {
      for (int i = count - 1; i >= 0; --i) labels.push_back(static_cast<char>('0' + i));
    }
  }
  return labels;
}

// Labels of operand `i`, whose sizes are entered into the plan.
std::string fit(EinsumPlan& plan, std::string_view equation, const std::string& term,
                const Tensor& operand, std::size_t i) {
  const int named = static_cast<int>(
      std::count_if(term.begin(), term.end(), [](char c) { return c != kEllipsis; }));
  const int unnamed = operand.rank() - named;
  if (unnamed < 0 || (unnamed > 0 && !has(term, kEllipsis))) {
    fail("einsum", "expected ", named, has(term, kEllipsis) ? " axes or more" : " axes",
         " for operand ", i, " of '", equation, "', got ", describe(operand));
  }
  const std::string labels = expand_ellipsis(term, unnamed);
  for (std::size_t axis = 0; axis < labels.size(); ++axis) {
    std::int64_t& size = plan.sizes[static_cast<std::size_t>(labels[axis])];
    const std::int64_t here = operand.shape()[static_cast<int>(axis)];
    const bool broadcasts = std::isdigit(static_cast<unsigned char>(labels[axis]));
    if (size == -1 || (broadcasts && size == 1)) {
      size = here;
    } else if (here != size && !(broadcasts && here == 1)) {
      fail("einsum", "expected size ", size, " for ", broadcasts ? "an axis of '...'" : "axis '",
           broadcasts ? "" : std::string(1, labels[axis]) + "'", " as before, got ", here,
           " (operand ", i, " ", describe(operand), " of '", equation, "')");
    }
  }
  return labels;
}

// Without "->": the axes of "...", then the letters that occur once.
std::string implicit_output(const std::vector<std::string>& inputs) {
  std::string all, output;
  for (const std::string& labels : inputs) all += labels;
  for (char c = 'A'; c <= 'z'; ++c) {
    if (std::count(all.begin(), all.end(), c) == 1) output.push_back(c);
  }
  return kEllipsis + output;
}

}  // namespace

EinsumPlan plan_einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  const Equation parsed = parse(equation);
  if (operands.empty() || parsed.inputs.size() != operands.size()) {
    fail("einsum", "expected ", parsed.inputs.size(), " operands for '", equation, "', got ",
         operands.size());
  }
  EinsumPlan plan;
  plan.sizes.fill(-1);
  int widest = 0;  // axes of "..."
  for (std::size_t i = 0; i < operands.size(); ++i) {
    check_dtype("einsum", "an operand", operands[i], kRealDTypes, "a floating dtype");
    check_dtype("einsum", "an operand", operands[i], {operands[0].dtype()},
                "the first operand's dtype");
    check_same_device("einsum", operands[0], operands[i]);
    plan.inputs.push_back(fit(plan, equation, parsed.inputs[i], operands[i], i));
    const auto letters = std::count_if(plan.inputs[i].begin(), plan.inputs[i].end(),
                                       [](char c) { return !std::isdigit(c); });
    widest = std::max(widest, operands[i].rank() - static_cast<int>(letters));
  }
  const std::string output = parsed.has_output ? parsed.output : implicit_output(plan.inputs);
  if (widest > 0 && !has(output, kEllipsis)) {
    fail("einsum", "expected '...' in the output of '", equation, "', since the operands have it");
  }
  plan.output = expand_ellipsis(output, widest);
  for (char label : plan.output) {
    if (plan.size(label) == -1) {
      fail("einsum", "expected output axes that an operand has, got '", label, "' in '", equation,
           "'");
    }
  }
  return plan;
}

}  // namespace detail

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  return detail::run_einsum(detail::plan_einsum(equation, operands), operands);
}

}  // namespace athanor
