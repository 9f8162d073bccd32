// The tape: one Node for each recorded operation, and record(), with which operations and custom
// functions define their gradient.
//
//   // y = a * b;   da = dy * b,  db = dy * a
//   Variable mul(const Variable& a, const Variable& b) {
//     return record("mul", mul(a.tensor(), b.tensor()), {a, b},
//                   [a = Saved(a), b = Saved(b)](const Variable& dy, Gradients& d) {
//                     if (d.needs(0)) d.set(0, mul(dy, b.get(d)));
//                     if (d.needs(1)) d.set(1, mul(dy, a.get(d)));
//                   });
//   }
//
// A rule is written with differentiable operations, so that gradients of gradients work; where a
// fused kernel exists it is used when !grad_enabled(), that is, when nobody asked for a graph.
// Gradients are summed over broadcast axes by the engine: a rule may return the gradient at the
// result's shape.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "autograd/anomaly.h"
#include "autograd/variable.h"
#include "tensor/base/small_vector.h"

namespace athanor {

class Gradients;

// An input or output of a node: where the gradient goes.
struct Edge {
  Ref<Node> producer;               // for a computed value
  Ref<detail::VariableState> leaf;  // for a leaf that asks for a gradient
  int output_index = 0;
  Shape shape;  // of the input
  DType dtype = DType::f32;
  bool needed() const { return producer || leaf; }
};

class Node : public RefCounted {
 public:
  Node(const char* op, int outputs);

  const char* op() const { return op_; }
  // Creation order: larger than that of every node this one depends on.
  std::uint64_t sequence() const { return sequence_; }
  // What the next node that is made will have at least.
  static std::uint64_t next_sequence();
  int outputs() const { return outputs_; }
  std::span<const Edge> edges() const { return {edges_.data(), edges_.size()}; }
  void add_input(const Variable& input);
  void add_edge(Edge edge) { edges_.push_back(std::move(edge)); }

  // Runs the rule: `gradients_out` has one entry an output, undefined where nothing arrived. The
  // rule may take the entries.
  void run(std::span<Variable> gradients_out, Gradients& gradients);
  // Drops what the rule saved. A later run() is an error.
  void release_saved();
  // `hook` sees the gradient of that output.
  void add_hook(int output, GradientHook hook);

 protected:
  virtual void apply(std::span<Variable> gradients_out, Gradients& gradients) = 0;
  virtual void drop() = 0;
  void dispose() noexcept override;

 private:
  friend class Engine;
  const char* op_;
  std::uint64_t sequence_;
  SmallVector<Edge, 2> edges_;
  struct OutputHook {
    int output;
    GradientHook hook;
  };
  std::unique_ptr<std::vector<OutputHook>> hooks_;  // null without any
  bool released_ = false;
  int outputs_;
  Node* next_pending_ = nullptr;  // in the list of nodes to delete
  // Scratch of the engine: gradients that have arrived, by output; empty before the first one.
  SmallVector<Variable, 1> arrived_;
};

// What a rule fills in: the gradient of each input.
class Gradients {
 public:
  explicit Gradients(Node& node)
      : node_(node), wanted_(node.edges().size()), values_(wanted_.size()) {}

  // Whether the gradient of input i is asked for. Setting it anyway is harmless.
  bool needs(int i) const { return wanted_[static_cast<std::size_t>(i)] != 0; }
  void set(int i, Variable gradient) { values_[static_cast<std::size_t>(i)] = std::move(gradient); }
  Node& node() { return node_; }
  const char* op() const { return node_.op(); }
  SmallVector<Variable, 4>& values() { return values_; }

 private:
  friend class Engine;
  Node& node_;
  SmallVector<char, 8> wanted_;
  SmallVector<Variable, 4> values_;
};

// An input kept for backward. Remembers the storage's version: get() throws, naming both ops, when
// the tensor has been written in place since.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Variable& value);
  const Variable& get(const Gradients& gradients) const;

 private:
  Variable value_;
  std::uint32_t version_ = 0;
};

// The node's own output kept for backward. Holds the value, not the node, so that no cycle forms;
// get() restores the Variable with its history.
class SavedOutput {
 public:
  SavedOutput() = default;
  explicit SavedOutput(const Tensor& value, int output_index = 0);
  Variable get(Gradients& gradients) const;
  // The value alone, for a fused rule.
  const Tensor& tensor(const Gradients& gradients) const;

 private:
  Tensor value_;
  int output_index_ = 0;
  std::uint32_t version_ = 0;
};

namespace detail {

template <class Rule>
class RuleNode final : public Node {
 public:
  RuleNode(const char* op, int outputs, Rule rule) : Node(op, outputs), rule_(std::move(rule)) {}

 protected:
  void apply(std::span<Variable> dy, Gradients& d) override {
    if constexpr (std::is_invocable_v<Rule&, Variable, Gradients&>) {
      (*rule_)(std::move(dy[0]), d);
    } else {
      (*rule_)(std::span<const Variable>(dy), d);
    }
  }
  void drop() override { rule_.reset(); }

 private:
  std::optional<Rule> rule_;
};

bool any_requires_grad(std::span<const std::reference_wrapper<const Variable>> inputs);
Variable attach(Tensor&& value, Ref<Node> node, int output_index);

// Every node that `outputs` depend on and that is not older than `boundary`, the earliest first.
std::vector<Node*> nodes_behind(std::span<const Variable> outputs, std::uint64_t boundary = 0);
// For checkpoint(): the gradients at `edges`, which leave the nodes made since `boundary`, of
// `output` weighted by `gradient`. Older nodes are not run, and hooks of the edges' ends neither.
std::vector<Variable> gradients_at(const Variable& output, const Variable& gradient,
                                   std::span<const Edge> edges, std::uint64_t boundary,
                                   bool create_graph);

}  // namespace detail

using Inputs = std::initializer_list<std::reference_wrapper<const Variable>>;

// Whether record() puts an operation on these inputs on the tape: somebody asks for gradients.
inline bool recorded(std::span<const std::reference_wrapper<const Variable>> inputs) {
  return grad_enabled() && detail::any_requires_grad(inputs);
}
inline bool recorded(Inputs inputs) {
  return recorded(
      std::span<const std::reference_wrapper<const Variable>>(inputs.begin(), inputs.size()));
}

// Makes the Variable of an operation's result `value`. `rule(dy, gradients)` computes the gradients
// of `inputs`; where it takes dy as Variable&&, it may write into memory that take_tensor() gives.
// Without a graph (NoGrad, no input that asks for a gradient) the result is a constant.
template <class Rule>
Variable record(const char* op, Tensor value,
                std::span<const std::reference_wrapper<const Variable>> inputs, Rule rule) {
  if (detail::anomaly_enabled()) detail::check_forward(op, value, inputs);
  if (!recorded(inputs)) return Variable(std::move(value));
  auto node = Ref<Node>::adopt(new detail::RuleNode<Rule>(op, 1, std::move(rule)));
  for (const Variable& input : inputs) node->add_input(input);
  return detail::attach(std::move(value), std::move(node), 0);
}
template <class Rule>
Variable record(const char* op, Tensor value, Inputs inputs, Rule rule) {
  return record(
      op, std::move(value),
      std::span<const std::reference_wrapper<const Variable>>(inputs.begin(), inputs.size()),
      std::move(rule));
}

// Several results; `rule(std::span<const Variable> dys, gradients)` gets one gradient a result,
// undefined where none arrived.
template <class Rule>
std::vector<Variable> record_many(const char* op, std::vector<Tensor> values,
                                  std::span<const std::reference_wrapper<const Variable>> inputs,
                                  Rule rule) {
  std::vector<Variable> results;
  if (detail::anomaly_enabled()) {
    for (const Tensor& value : values) detail::check_forward(op, value, inputs);
  }
  if (!recorded(inputs)) {
    for (Tensor& value : values) results.emplace_back(std::move(value));
    return results;
  }
  auto node = Ref<Node>::adopt(
      new detail::RuleNode<Rule>(op, static_cast<int>(values.size()), std::move(rule)));
  for (const Variable& input : inputs) node->add_input(input);
  for (std::size_t i = 0; i < values.size(); ++i) {
    results.push_back(detail::attach(std::move(values[i]), node, static_cast<int>(i)));
  }
  return results;
}

// The result of an operation that has no gradient although its result is floating: using it in
// backward throws, naming the op and the tensor.
Variable record_without_gradient(const char* op, Tensor value, Inputs inputs);

}  // namespace athanor
