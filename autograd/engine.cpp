// Backward: nodes run in the reverse order of their creation, which is a topological order, so one
// pass with a heap is enough and no recursion is needed.
#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/reduce.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/unary.h"

namespace athanor {
namespace {

thread_local bool anomaly_enabled = false;

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

bool all_finite(const Tensor& t) {
  const Tensor finite = isfinite(t);
  return all(finite).item() != 0;
}

struct LaterFirst {
  bool operator()(const Node* a, const Node* b) const { return a->sequence() < b->sequence(); }
};

}  // namespace

DetectAnomaly::DetectAnomaly() : previous_(anomaly_enabled) { anomaly_enabled = true; }
DetectAnomaly::~DetectAnomaly() { anomaly_enabled = previous_; }

// One backward pass. Owns the nodes that still wait, so that a rule's exception leaks nothing.
class Engine {
 public:
  Engine(bool retain_graph, bool create_graph) : retain_(retain_graph), create_(create_graph) {}

  ~Engine() {
    for (auto& [node, owner] : waiting_) node->arrived_.clear();
  }

  // Restricts the pass to paths that lead to `inputs`, whose gradients it captures.
  void capture(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs);
  void seed(const Variable& output, const Variable& gradient);
  void run();

  Variable captured(const Variable& input) const {
    const auto it = captured_.find(key_of(input));
    return it == captured_.end() ? Variable() : it->second;
  }

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

  bool wants(const Edge& edge) const;
  void deliver(const Edge& edge, const Variable& gradient);
  void arrive(const Ref<Node>& node, int output, const Variable& gradient);
  void run_node(const Ref<Node>& node);

  bool retain_, create_;
  bool capturing_ = false;
  std::unordered_map<Key, Variable, KeyHash> captured_;
  std::unordered_set<const void*> targets_;  // nodes and leaves that lead to an input
  std::priority_queue<Node*, std::vector<Node*>, LaterFirst> queue_;
  std::unordered_map<Node*, Ref<Node>> waiting_;
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
  // Collect every node that can be reached, then decide from the earliest on.
  std::unordered_set<Node*> seen;
  std::vector<Node*> stack, order;
  const auto visit_node = [&](Node* node) {
    if (node && seen.insert(node).second) stack.push_back(node);
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
  for (Node* node : order) {
    const bool leads = std::any_of(node->edges().begin(), node->edges().end(), [&](const Edge& e) {
      if (e.leaf) return targets_.count(e.leaf.get()) > 0;
      return e.producer && (targets_.count(e.producer.get()) > 0 ||
                            captured_.count({e.producer.get(), e.output_index}) > 0);
    });
    if (leads) targets_.insert(node);
  }
}

bool Engine::wants(const Edge& edge) const {
  if (!edge.needed()) return false;
  if (!capturing_) return true;
  if (edge.leaf) return targets_.count(edge.leaf.get()) > 0;
  return targets_.count(edge.producer.get()) > 0 ||
         captured_.count({edge.producer.get(), edge.output_index}) > 0;
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
  detail::VariableState& leaf = *edge.leaf;
  const Variable final_gradient = apply_hooks(leaf.hooks, gradient);
  if (capturing_) {
    Variable& slot = captured_.at({edge.leaf.get(), 0});
    slot = slot.defined() ? add(slot, final_gradient) : final_gradient;
    return;
  }
  leaf.grad = leaf.grad.defined() ? add(leaf.grad, final_gradient) : final_gradient;
}

void Engine::arrive(const Ref<Node>& node, int output, const Variable& gradient) {
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
  if (capturing_ && targets_.count(node.get()) == 0) return;
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
    if (anomaly_enabled && !all_finite(gradient.tensor())) {
      fail("backward", "anomaly: the gradient of ", node->op(), " for its input ", i, " (",
           describe(gradient.tensor()), ") has NaN or Inf");
    }
    deliver(edges[i], sum_to(gradient, edges[i].shape));
  }
}

void Engine::run() {
  GradMode mode(create_);
  while (!queue_.empty()) {
    Node* node = queue_.top();
    queue_.pop();
    const auto it = waiting_.find(node);
    const Ref<Node> owner = std::move(it->second);
    waiting_.erase(it);
    run_node(owner);
  }
}

namespace {

Variable seed_gradient(const char* op, const Variable& output, const Variable& gradient) {
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

}  // namespace athanor
