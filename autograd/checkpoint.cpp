#include "autograd/checkpoint.h"

#include <cstring>
#include <unordered_set>

#include "autograd/node.h"
#include "tensor/host.h"
#include "tensor/ops/copy.h"

namespace athanor {
namespace {

std::vector<std::uint64_t> positions_of(const std::vector<Generator*>& generators) {
  std::vector<std::uint64_t> positions;
  for (const Generator* generator : generators) positions.push_back(generator->position());
  return positions;
}

// Sets generators to `positions` and, at the end, back to where they were.
class Replay {
 public:
  Replay(const std::vector<Generator*>& generators, const std::vector<std::uint64_t>& positions)
      : generators_(generators), before_(positions_of(generators)) {
    set(positions);
  }
  ~Replay() { set(before_); }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

 private:
  void set(const std::vector<std::uint64_t>& positions) {
    for (std::size_t i = 0; i < generators_.size(); ++i) {
      generators_[i]->set_position(positions[i]);
    }
  }
  const std::vector<Generator*>& generators_;
  std::vector<std::uint64_t> before_;
};

// Depends on each bit of the elements, in their order in memory.
std::uint64_t checksum(const Tensor& t) {
  const Tensor block = to_host(t.is_dense() ? t : contiguous(t));
  const std::size_t bytes = static_cast<std::size_t>(block.numel() * size_of(block.dtype()));
  const char* data = static_cast<const char*>(block.raw());
  std::uint64_t sum = bytes;
  for (std::size_t at = 0; at < bytes; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + at, std::min<std::size_t>(8, bytes - at));
    sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
    sum ^= sum >> 32;
  }
  return sum;
}

// Where the graph made since `boundary` ends: one edge for each older value or leaf.
std::vector<Edge> outer_edges(const Variable& y, std::uint64_t boundary) {
  std::vector<Edge> outer;
  std::unordered_set<const void*> leaves;
  struct Output {
    const Node* node;
    int index;
  };
  std::vector<Output> outputs;
  for (const Node* node : detail::nodes_behind({&y, 1}, boundary)) {
    for (const Edge& edge : node->edges()) {
      if (edge.leaf) {
        if (leaves.insert(edge.leaf.get()).second) outer.push_back(edge);
      } else if (edge.producer && edge.producer->sequence() < boundary) {
        const auto known = [&](const Output& o) {
          return o.node == edge.producer.get() && o.index == edge.output_index;
        };
        if (std::any_of(outputs.begin(), outputs.end(), known)) continue;
        outputs.push_back({edge.producer.get(), edge.output_index});
        outer.push_back(edge);
      }
    }
  }
  return outer;
}

struct Segment {
  CheckpointFunction fn;
  std::vector<Saved> inputs;
  std::vector<Generator*> generators;
  std::vector<std::uint64_t> positions;
  std::uint64_t checksum;

  void operator()(const Variable& dy, Gradients& d) const {
    std::vector<Variable> values;
    for (const Saved& input : inputs) values.push_back(input.get(d));
    const std::uint64_t boundary = Node::next_sequence();
    Variable y;
    {
      const Replay replay(generators, positions);
      const GradMode recording(true);
      y = fn(values);
    }
    if (athanor::checksum(y.tensor()) != checksum) {
      fail("checkpoint",
           "expected the second run of the function to give the same bits, got another result (",
           describe(y.tensor()),
           "); is every generator named, and was anything it reads changed since?");
    }
    const std::span<const Edge> edges = d.node().edges();
    const auto gradients = detail::gradients_at(y, dy, edges, boundary, grad_enabled());
    for (std::size_t i = 0; i < edges.size(); ++i) d.set(static_cast<int>(i), gradients[i]);
  }
};

}  // namespace

Variable checkpoint(CheckpointFunction fn, const std::vector<Variable>& inputs,
                    const std::vector<Generator*>& generators) {
  for (const Generator* generator : generators) {
    if (!generator) fail("checkpoint", "expected generators, got a null pointer");
  }
  if (!grad_enabled()) return fn(inputs);
  Segment segment{std::move(fn), {}, generators, positions_of(generators), 0};
  const std::uint64_t boundary = Node::next_sequence();
  Tensor value;
  Ref<Node> node;
  {
    // Recorded, to learn which variables the function uses; the record goes at the end of the
    // scope.
    const Variable y = segment.fn(inputs);
    if (y.is_leaf() || y.state()->producer->sequence() < boundary) return y;
    value = y.tensor();
    segment.checksum = checksum(value);
    for (const Variable& input : inputs) segment.inputs.emplace_back(input);
    node = Ref<Node>(new detail::RuleNode<Segment>("checkpoint", 1, std::move(segment)));
    for (Edge& edge : outer_edges(y, boundary)) node->add_edge(std::move(edge));
  }
  return detail::attach(std::move(value), node, 0);
}

}  // namespace athanor
