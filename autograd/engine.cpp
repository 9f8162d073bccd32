// Backward: nodes run in the reverse order of their creation, which is a topological order, so one
// pass with a heap is enough and no recursion is needed.
#include <algorithm>
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

// The gradient to go on with.
Variable apply_hook(const GradientHook& hook, const Variable& gradient) {
  Variable changed = hook(gradient);
  if (!changed.defined()) return gradient;
  if (!(changed.shape() == gradient.shape())) {
    fail("hook", "expected a gradient of shape ", gradient.shape(), ", got ",
         describe(changed.tensor()));
  }
  return changed;
}

// The gradient as the input at `edge` has it: summed over broadcast axes, of the input's dtype.
Variable fit_to(const Edge& edge, Variable gradient) {
  if (gradient.shape() == edge.shape && gradient.dtype() == edge.dtype) return gradient;
  return cast(sum_to(gradient, edge.shape), edge.dtype);
}

// Whether nobody else can see this value: its memory may then be written.
bool is_sole_owner(const Variable& v) {
  const detail::VariableState* state = v.state();
  return state->use_count() == 1 && !state->requires_grad &&
         state->value.storage()->use_count() == 1 && state->value.is_dense();
}

// Nodes that wait, the latest made on top of a heap.
struct Waiting {
  std::uint64_t sequence;
  Ref<Node> node;
  bool operator<(const Waiting& other) const { return sequence < other.sequence; }
};
// Memory that one pass leaves to the next on its thread.
thread_local std::vector<Waiting> spare_heap;

}  // namespace

// One backward pass. Owns the nodes that still wait, so that a rule's exception leaks nothing.
class Engine {
 public:
  Engine(bool retain_graph, bool create_graph)
      : retain_(retain_graph), create_(create_graph), heap_(std::move(spare_heap)) {}

  ~Engine() {
    for (const Waiting& waiting : heap_) waiting.node->arrived_.clear();
    heap_.clear();
    if (heap_.capacity() > spare_heap.capacity()) spare_heap = std::move(heap_);
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
  void accumulate(Variable& sum, Variable gradient) const;
  void add_captured(const Key& key, Variable gradient);
  bool wants(const Edge& edge) const;
  void deliver(const Edge& edge, Variable gradient);
  void finish(detail::VariableState& leaf, Variable gradient);
  void arrive(const Ref<Node>& node, int output, Variable gradient);
  void run_hooks(Node& node, SmallVector<Variable, 1>& arrived);
  void run_node(Node& node);

  bool retain_, create_;
  bool capturing_ = false;
  std::uint64_t boundary_ = 0;  // 0: none
  std::unordered_map<Key, Variable, KeyHash> captured_;
  std::unordered_set<const void*> targets_;  // nodes and leaves that lead to an input
  std::vector<Waiting> heap_;
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

// sum += gradient, in the memory of whichever of the two nobody else sees.
void Engine::accumulate(Variable& sum, Variable gradient) const {
  if (!sum.defined()) {
    sum = std::move(gradient);
    return;
  }
  if (!create_ && is_sole_owner(gradient) && !is_sole_owner(sum)) std::swap(sum, gradient);
  if (!create_ && is_sole_owner(sum) && sum.dtype() == gradient.dtype()) {
    add_(sum.state()->value, gradient.tensor());
  } else {
    sum = add(sum, gradient);
  }
}

void Engine::add_captured(const Key& key, Variable gradient) {
  const auto it = captured_.find(key);
  if (it == captured_.end()) {
    fail("backward", "a function that was run again used a variable that its first run did not");
  }
  accumulate(it->second, std::move(gradient));
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

void Engine::deliver(const Edge& edge, Variable gradient) {
  if (edge.producer) return arrive(edge.producer, edge.output_index, std::move(gradient));
  if (boundary_ > 0) return add_captured(key_of(edge), std::move(gradient));
  if (!edge.leaf->hooks) return finish(*edge.leaf, std::move(gradient));
  accumulate(hooked_leaves_[edge.leaf.get()], std::move(gradient));
}

void Engine::finish(detail::VariableState& leaf, Variable gradient) {
  if (capturing_) return add_captured({&leaf, 0}, std::move(gradient));
  accumulate(leaf.grad, std::move(gradient));
}

void Engine::arrive(const Ref<Node>& node, int output, Variable gradient) {
  if (node->sequence() < boundary_) return add_captured({node.get(), output}, std::move(gradient));
  SmallVector<Variable, 1>& slots = node->arrived_;
  if (slots.empty()) {
    slots = SmallVector<Variable, 1>(static_cast<std::size_t>(node->outputs_));
    heap_.push_back({node->sequence(), node});
    std::push_heap(heap_.begin(), heap_.end());
  }
  accumulate(slots[static_cast<std::size_t>(output)], std::move(gradient));
}

void Engine::run_hooks(Node& node, SmallVector<Variable, 1>& arrived) {
  for (std::size_t i = 0; i < arrived.size(); ++i) {
    if (!arrived[i].defined()) continue;
    if (node.hooks_) {
      for (const Node::OutputHook& h : *node.hooks_) {
        if (h.output == static_cast<int>(i)) arrived[i] = apply_hook(h.hook, arrived[i]);
      }
    }
    if (!capturing_) continue;
    const auto it = captured_.find({&node, static_cast<int>(i)});
    if (it != captured_.end()) it->second = arrived[i];
  }
}

void Engine::run_node(Node& node) {
  SmallVector<Variable, 1> arrived = std::move(node.arrived_);
  if (node.hooks_ || capturing_) run_hooks(node, arrived);
  if (!enters(&node)) return;
  const std::span<const Edge> edges = node.edges();
  Gradients gradients(node);
  for (std::size_t i = 0; i < edges.size(); ++i) gradients.wanted_[i] = wants(edges[i]);
  node.run({arrived.data(), arrived.size()}, gradients);
  if (!retain_) node.release_saved();
  arrived.clear();
  for (std::size_t i = 0; i < edges.size(); ++i) {
    Variable& gradient = gradients.values_[i];
    if (!gradients.wanted_[i]) continue;
    if (!gradient.defined()) {
      fail("backward", node.op(), " gave no gradient for its input ", i, " ", edges[i].shape);
    }
    if (detail::anomaly_enabled()) detail::check_gradient(node, static_cast<int>(i), gradient);
    deliver(edges[i], fit_to(edges[i], std::move(gradient)));
  }
}

void Engine::run() {
  GradMode mode(create_);
  const Autocast off(DType::f32);  // the rules run in the dtypes that forward chose
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end());
    const Ref<Node> node = std::move(heap_.back().node);
    heap_.pop_back();
    run_node(*node);
  }
  for (auto& [leaf, gradient] : hooked_leaves_) {
    for (const GradientHook& hook : *leaf->hooks) gradient = apply_hook(hook, gradient);
    finish(*leaf, std::move(gradient));
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
