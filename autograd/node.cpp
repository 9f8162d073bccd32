#include "autograd/node.h"

#include <algorithm>
#include <atomic>
#include <unordered_set>

namespace athanor {
namespace {

std::atomic<std::uint64_t> sequence_counter{1};

}  // namespace

std::uint64_t Node::next_sequence() { return sequence_counter.load(std::memory_order_relaxed); }

Node::Node(const char* op, int outputs)
    : op_(op),
      sequence_(sequence_counter.fetch_add(1, std::memory_order_relaxed)),
      outputs_(outputs) {}

void Node::add_input(const Variable& input) {
  Edge& edge = edges_.emplace_back();
  if (!input.defined()) return;
  edge.shape = input.shape();
  edge.dtype = input.dtype();
  if (!input.requires_grad()) return;
  const detail::VariableState& state = *input.state();
  edge.producer = state.producer;
  edge.output_index = state.output_index;
  if (!edge.producer) edge.leaf = Ref<detail::VariableState>(input.state());
}

void Node::add_hook(int output, GradientHook hook) {
  if (!hooks_) hooks_ = std::make_unique<std::vector<OutputHook>>();
  hooks_->push_back({output, std::move(hook)});
}

void Node::run(std::span<Variable> gradients_out, Gradients& gradients) {
  if (released_) {
    fail("backward", "expected a graph that was not used yet, got ", op_,
         " whose saved tensors are freed; pass retain_graph to the first backward");
  }
  apply(gradients_out, gradients);
}

void Node::release_saved() {
  released_ = true;
  drop();
}

namespace {

// Nodes whose last reference went, linked through a field of their own.
struct Pending {
  Node* first;
  bool draining;
};
constinit thread_local Pending pending = {};

}  // namespace

// Nodes whose last reference goes are put on a list that the outermost call empties: a chain of a
// million nodes is released without recursion.
void Node::dispose() noexcept {
  next_pending_ = std::exchange(pending.first, this);
  if (pending.draining) return;
  pending.draining = true;
  while (Node* node = pending.first) {
    pending.first = node->next_pending_;
    delete node;
  }
  pending.draining = false;
}

Saved::Saved(const Variable& value) : value_(value) {
  if (value.defined()) version_ = value.tensor().version();
}

namespace {

void check_version(const char* op, const Tensor& value, std::uint32_t version) {
  if (value.version() != version) {
    fail("backward", "a tensor saved by ", op, " for its gradient was changed in place by ",
         value.storage()->last_writer(), " (", describe(value), ", version ", value.version(),
         ", expected ", version, ")");
  }
}

}  // namespace

const Variable& Saved::get(const Gradients& gradients) const {
  if (value_.defined()) check_version(gradients.op(), value_.tensor(), version_);
  return value_;
}

SavedOutput::SavedOutput(const Tensor& value, int output_index)
    : value_(value), output_index_(output_index), version_(value.version()) {}

const Tensor& SavedOutput::tensor(const Gradients& gradients) const {
  check_version(gradients.op(), value_, version_);
  return value_;
}

Variable SavedOutput::get(Gradients& gradients) const {
  check_version(gradients.op(), value_, version_);
  if (!grad_enabled()) return Variable(value_);
  return detail::attach(Tensor(value_), Ref<Node>(&gradients.node()), output_index_);
}

namespace detail {

bool any_requires_grad(std::span<const std::reference_wrapper<const Variable>> inputs) {
  for (const Variable& input : inputs) {
    if (input.defined() && input.requires_grad()) return true;
  }
  return false;
}

Variable attach(Tensor&& value, Ref<Node> node, int output_index) {
  const bool floating = is_floating(value.dtype());
  auto state = make_ref<VariableState>(std::move(value));
  state->requires_grad = floating;
  if (floating) {
    state->producer = std::move(node);
    state->output_index = output_index;
  }
  return Variable(std::move(state));
}

std::vector<Node*> nodes_behind(std::span<const Variable> outputs, std::uint64_t boundary) {
  std::unordered_set<Node*> seen;
  std::vector<Node*> stack, order;
  const auto visit_node = [&](Node* node) {
    if (node && node->sequence() >= boundary && seen.insert(node).second) stack.push_back(node);
  };
  for (const Variable& output : outputs) {
    if (output.requires_grad()) visit_node(output.state()->producer.get());
  }
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    order.push_back(node);
    for (const Edge& edge : node->edges()) visit_node(edge.producer.get());
  }
  std::sort(order.begin(), order.end(),
            [](const Node* a, const Node* b) { return a->sequence() < b->sequence(); });
  return order;
}

}  // namespace detail

Variable record_without_gradient(const char* op, Tensor value, Inputs inputs) {
  const std::string what = describe(value);
  return record(op, std::move(value), inputs, [op, what](const Variable&, Gradients&) {
    fail("backward", op, " has no gradient, but one was asked of its result (", what, ")");
  });
}

}  // namespace athanor
