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
  Edge edge;
  if (input.defined()) {
    edge.shape = input.shape();
    edge.dtype = input.dtype();
    if (input.requires_grad()) {
      edge.producer = input.state()->producer;
      edge.output_index = input.state()->output_index;
      if (!edge.producer) edge.leaf = Ref<detail::VariableState>(input.state());
    }
  }
  edges_.push_back(std::move(edge));
}

void Node::run(std::span<const Variable> gradients_out, Gradients& gradients) {
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

// Nodes whose last reference goes are put on a list that the outermost call empties: a chain of a
// million nodes is released without recursion.
void Node::dispose() noexcept {
  thread_local std::vector<Node*> pending;
  thread_local bool draining = false;
  try {
    pending.push_back(this);
  } catch (const std::bad_alloc&) {
    delete this;  // recursion is the lesser evil without memory for the list
    return;
  }
  if (draining) return;
  draining = true;
  while (!pending.empty()) {
    Node* node = pending.back();
    pending.pop_back();
    delete node;
  }
  draining = false;
  pending.shrink_to_fit();
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

Variable SavedOutput::get(Gradients& gradients) const {
  check_version(gradients.op(), value_, version_);
  if (!grad_enabled()) return Variable(value_);
  return detail::attach(value_, Ref<Node>(&gradients.node()), output_index_);
}

namespace detail {

bool any_requires_grad(std::span<const std::reference_wrapper<const Variable>> inputs) {
  for (const Variable& input : inputs) {
    if (input.defined() && input.requires_grad()) return true;
  }
  return false;
}

Variable attach(Tensor value, const Ref<Node>& node, int output_index) {
  auto state = make_ref<VariableState>();
  state->requires_grad = is_floating(value.dtype());
  if (state->requires_grad) {
    state->producer = node;
    state->output_index = output_index;
  }
  state->value = std::move(value);
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
