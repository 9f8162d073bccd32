// Backward: nodes run in the reverse order of their creation, which is a topological order, so one
// pass with a heap is enough and no recursion is needed.
#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "autograd/anomaly.h"
#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/copy.h"
#include "autograd/ops/reduce.h"

namespace athanor {
namespace {

Variable apply_hooks(const std::vector<GradientHook>& hooks, Variable gradient) {
  for (const GradientHook& hook : hooks) {
    Variable changed = hook(gradient);
    if (!changed.defined()) continue;
    if (!(changed.shape() == gradient.shape())) {
      fail("hook", "expected a gradient of shape ", gradient.shape(), ", got ",
           describe(changed.tensor()));
    }
    gradient = changed;
  }
  return gradient;
}

// The gradient as the input at `edge` has it: summed over broadcast axes, of the input's dtype.
Variable fit_to(const Edge& edge, const Variable& gradient) {
  return cast(sum_to(gradient, edge.shape), edge.dtype);
}

struct LaterFirst {
  bool operator()(const Node* a, const Node* b) const { return a->sequence() < b->sequence(); }
};

}  // namespace

// One backward pass. Owns the nodes that still wait, so that a rule's exception leaks nothing.
class Engine {
 public:
  Engine(bool retain_graph, bool create_graph) : retain_(retain_graph), create_(create_graph) {}

  ~Engine() {
    for (auto& [node, owner] : waiting_) node->arrived_.clear();
  }

  // Restricts the pass to paths that lead to `inputs`, whose gradients it captures.
  void capture(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs);
  // Restricts the pass to nodes that are not older than `boundary` and captures the gradients that
  // leave them, at `edges`. Hooks out there are left to the pass that goes on from them.
  void capture_at(std::span<const Edge> edges, std::uint64_t boundary);
  void seed(const Variable& output, const Variable& gradient);
  void run();

  Variable captured(const Variable& input) const { return captured_.at(key_of(input)); }
  Variable captured(const Edge& edge) const { return captured_.at(key_of(edge)); }

 private:
  // A leaf is known by its state, a computed value by its node and output.
  struct Key {
    const void* owner;
    int output;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& k) const {
      return std::hash<const void*>()(k.owner) * 31 + static_cast<std::size_t>(k.output);
    }
  };
  static Key key_of(const Variable& v) {
    const detail::VariableState* s = v.state();
    if (s->producer) return {s->producer.get(), s->output_index};
    return {s, 0};
  }
  static Key key_of(const Edge& edge) {
    if (edge.producer) return {edge.producer.get(), edge.output_index};
    return {edge.leaf.get(), 0};
  }

  // Whether the pass goes through this node.
  bool enters(const Node* node) const {
    if (!capturing_) return true;
    return boundary_ > 0 ? node->sequence() >= boundary_ : targets_.count(node) > 0;
  }
  void add_captured(const Key& key, const Variable& gradient);
  bool wants(const Edge& edge) const;
  void deliver(const Edge& edge, const Variable& gradient);
  void finish(const Ref<detail::VariableState>& leaf, const Variable& gradient);
  void arrive(const Ref<Node>& node, int output, const Variable& gradient);
  void run_node(const Ref<Node>& node);

  bool retain_, create_;
  bool capturing_ = false;
  std::uint64_t boundary_ = 0;  // 0: none
  std::unordered_map<Key, Variable, KeyHash> captured_;
  std::unordered_set<const void*> targets_;  // nodes and leaves that lead to an input
  std::priority_queue<Node*, std::vector<Node*>, LaterFirst> queue_;
  std::unordered_map<Node*, Ref<Node>> waiting_;
  // Their hooks see the whole gradient, when all of it has arrived.
  std::unordered_map<detail::VariableState*, Variable> hooked_leaves_;
};

void Engine::capture(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs) {
  capturing_ = true;
  for (const Variable& input : inputs) {
    if (!input.requires_grad()) {
      fail("grad", "expected inputs that require a gradient, got a constant ",
           describe(input.tensor()));
    }
    captured_.emplace(key_of(input), Variable());
    if (!input.state()->producer) targets_.insert(input.state());
  }
  // Decide from the earliest node on.
  for (Node* node : detail::nodes_behind(outputs)) {
    const bool leads = std::any_of(node->edges().begin(), node->edges().end(), [&](const Edge& e) {
      if (e.leaf) return targets_.count(e.leaf.get()) > 0;
      return e.producer && (targets_.count(e.producer.get()) > 0 ||
                            captured_.count({e.producer.get(), e.output_index}) > 0);
    });
    if (leads) targets_.insert(node);
  }
}

void Engine::capture_at(std::span<const Edge> edges, std::uint64_t boundary) {
  capturing_ = true;
  boundary_ = boundary;
  for (const Edge& edge : edges) captured_.emplace(key_of(edge), Variable());
}

void Engine::add_captured(const Key& key, const Variable& gradient) {
  const auto it = captured_.find(key);
  if (it == captured_.end()) {
    fail("backward", "a function that was run again used a variable that its first run did not");
  }
  Variable& slot = it->second;
  slot = slot.defined() ? add(slot, gradient) : gradient;
}

bool Engine::wants(const Edge& edge) const {
  if (!edge.needed()) return false;
  if (!capturing_ || boundary_ > 0) return true;
  return captured_.count(key_of(edge)) > 0 || (edge.producer && enters(edge.producer.get()));
}

void Engine::seed(const Variable& output, const Variable& gradient) {
  Edge edge;
  edge.shape = output.shape();
  edge.dtype = output.dtype();
  edge.producer = output.state()->producer;
  edge.output_index = output.state()->output_index;
  if (!edge.producer) edge.leaf = Ref<detail::VariableState>(output.state());
  if (wants(edge)) deliver(edge, gradient);
}

void Engine::deliver(const Edge& edge, const Variable& gradient) {
  if (edge.producer) return arrive(edge.producer, edge.output_index, gradient);
  if (boundary_ > 0) return add_captured(key_of(edge), gradient);
  if (edge.leaf->hooks.empty()) return finish(edge.leaf, gradient);
  Variable& slot = hooked_leaves_[edge.leaf.get()];
  slot = slot.defined() ? add(slot, gradient) : gradient;
}

void Engine::finish(const Ref<detail::VariableState>& leaf, const Variable& gradient) {
  if (capturing_) return add_captured({leaf.get(), 0}, gradient);
  leaf->grad = leaf->grad.defined() ? add(leaf->grad, gradient) : gradient;
}

void Engine::arrive(const Ref<Node>& node, int output, const Variable& gradient) {
  if (node->sequence() < boundary_) return add_captured({node.get(), output}, gradient);
  std::vector<Variable>& slots = node->arrived_;
  if (slots.empty()) {
    slots.resize(static_cast<std::size_t>(node->outputs_));
    waiting_.emplace(node.get(), node);
    queue_.push(node.get());
  }
  Variable& slot = slots[static_cast<std::size_t>(output)];
  slot = slot.defined() ? add(slot, gradient) : gradient;
}

void Engine::run_node(const Ref<Node>& node) {
  std::vector<Variable> arrived = std::move(node->arrived_);
  node->arrived_.clear();
  for (std::size_t i = 0; i < arrived.size(); ++i) {
    if (!arrived[i].defined()) continue;
    if (i < node->hooks_.size()) arrived[i] = apply_hooks(node->hooks_[i], arrived[i]);
    const auto it = captured_.find({node.get(), static_cast<int>(i)});
    if (it != captured_.end()) it->second = arrived[i];
  }
  if (!enters(node.get())) return;
  const std::vector<Edge>& edges = node->edges();
  std::vector<char> wanted;
  wanted.reserve(edges.size());
  for (const Edge& edge : edges) wanted.push_back(wants(edge));
  Gradients gradients(*node, wanted);
  node->run(arrived, gradients);
  if (!retain_) node->release_saved();
  for (std::size_t i = 0; i < edges.size(); ++i) {
    Variable& gradient = gradients.values()[i];
    if (!wanted[i]) continue;
    if (!gradient.defined()) {
      fail("backward", node->op(), " gave no gradient for its input ", i, " ", edges[i].shape);
    }
    if (detail::anomaly_enabled()) detail::check_gradient(*node, static_cast<int>(i), gradient);
    deliver(edges[i], fit_to(edges[i], gradient));
  }
}

void Engine::run() {
  GradMode mode(create_);
  const Autocast off(DType::f32);  // the rules run in the dtypes that forward chose
  while (!queue_.empty()) {
    Node* node = queue_.top();
    queue_.pop();
    const auto it = waiting_.find(node);
    const Ref<Node> owner = std::move(it->second);
    waiting_.erase(it);
    run_node(owner);
  }
  for (const auto& [leaf, gradient] : hooked_leaves_) {
    finish(leaf, apply_hooks(leaf->hooks, gradient));
  }
}

namespace {

Variable seed_gradient(const char* op, const Variable& output, const Variable& gradient) {
  if (in_inference_mode()) fail(op, "expected to run outside of InferenceMode");
  if (!output.requires_grad()) {
    fail(op, "expected an output that requires a gradient, got ", describe(output.tensor()));
  }
  if (!gradient.defined()) {
    if (output.numel() != 1) {
      fail(op, "expected a gradient for an output with ", output.numel(), " elements (",
           describe(output.tensor()), "); only a single element has the default 1");
    }
    return Variable(ones_like(output.tensor()));
  }
  if (!(gradient.shape() == output.shape()) || gradient.dtype() != output.dtype()) {
    fail(op, "expected a gradient like the output ", describe(output.tensor()), ", got ",
         describe(gradient.tensor()));
  }
  return gradient;
}

}  // namespace

void Variable::backward(const Variable& gradient, bool retain_graph, bool create_graph) const {
  const Variable start = seed_gradient("backward", *this, gradient);
  Engine engine(retain_graph || create_graph, create_graph);
  engine.seed(*this, start);
  engine.run();
}

std::vector<Variable> grad(const std::vector<Variable>& outputs,
                           const std::vector<Variable>& inputs, bool create_graph,
                           bool retain_graph, bool allow_unused,
                           const std::vector<Variable>& output_gradients) {
  if (!output_gradients.empty() && output_gradients.size() != outputs.size()) {
    fail("grad", "expected ", outputs.size(), " output gradients, got ", output_gradients.size());
  }
  Engine engine(retain_graph || create_graph, create_graph);
  engine.capture(outputs, inputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Variable given = output_gradients.empty() ? Variable() : output_gradients[i];
    engine.seed(outputs[i], seed_gradient("grad", outputs[i], given));
  }
  engine.run();
  std::vector<Variable> results;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    results.push_back(engine.captured(inputs[i]));
    if (!results.back().defined() && !allow_unused) {
      fail("grad", "no output depends on input ", i, " (", describe(inputs[i].tensor()),
           "); pass allow_unused to get an undefined gradient");
    }
  }
  return results;
}

namespace detail {

std::vector<Variable> gradients_at(const Variable& output, const Variable& gradient,
                                   std::span<const Edge> edges, std::uint64_t boundary,
                                   bool create_graph) {
  Engine engine(create_graph, create_graph);
  engine.capture_at(edges, boundary);
  engine.seed(output, gradient);
  engine.run();
  std::vector<Variable> gradients;
  for (const Edge& edge : edges) gradients.push_back(engine.captured(edge));
  return gradients;
}

}  // namespace detail
}  // namespace athanor
