// Graphs and the layers that pass messages along their edges.
//
// An edge (row, column) carries a message from node `column` to node `row`. Layers take the nodes'
// features [columns, in] and give [rows, out]; the receiving nodes are the first ones, so that one
// layer serves whole graphs (rows = columns) and sampled ones.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "nn/layers.h"
#include "tensor/ops/segment.h"
#include "tensor/ops/sparse.h"

namespace athanor::nn {

// A graph and what the layers need of it, computed once. Copies share memory.
class Graph {
 public:
  // `row` and `column` i64 [E] in [0, nodes): edges without loops or copies, which are dropped;
  // with `undirected`, each also runs the other way.
  Graph(const Tensor& row, const Tensor& column, std::int64_t nodes, bool undirected = true);

  std::int64_t nodes() const { return edges_.rows(); }
  // The edges; and the edges and a loop at every node.
  const SparsePattern& edges() const { return edges_; }
  const SparsePattern& with_loops() const { return with_loops_; }
  // The values of D^-1/2 (A + I) D^-1/2 at with_loops(), D the row sums of A + I: f64 [n].
  const Tensor& normalized() const { return normalized_; }

 private:
  SparsePattern edges_, with_loops_;
  Tensor normalized_;
};

// Features of nodes, [n, in]: a dense variable, or a sparse matrix such as bags of words, of which
// only the values that are not 0 are kept.
class NodeFeatures {
 public:
  NodeFeatures(const Variable& dense) : dense_(dense) {}
  NodeFeatures(const SparsePattern& pattern, const Variable& values)
      : pattern_(pattern), values_(values) {}
  // The elements of `dense` [n, in] that are not 0, as constants.
  static NodeFeatures sparse(const Tensor& dense);

  std::int64_t nodes() const { return pattern_ ? pattern_->rows() : dense_.size(0); }
  std::int64_t width() const { return pattern_ ? pattern_->columns() : dense_.size(1); }
  // x weight^T for weight [out, in]: [n, out].
  Variable times(const Variable& weight) const;
  // With dropout of the elements; those that are 0 stay so.
  NodeFeatures dropped(Dropout& dropout) const;
  // Throws for sparse features.
  const Variable& dense() const;

 private:
  Variable dense_;
  std::optional<SparsePattern> pattern_;
  Variable values_;  // [size of the pattern]
};

// D^-1/2 (A + I) D^-1/2 x W^T + bias (Kipf & Welling 2017).
class GcnConv final : public Module {
 public:
  GcnConv(std::int64_t in, std::int64_t out, Generator& generator);
  Variable forward(const Variable& x) override;  // throws: a layer of a graph
  Variable propagate(const NodeFeatures& x, const Graph& graph);

 private:
  Parameter weight_, bias_;
};

// W_l mean of the neighbours + b + W_r x (Hamilton et al. 2017).
class SageConv final : public Module {
 public:
  SageConv(std::int64_t in, std::int64_t out, Generator& generator);
  Variable forward(const Variable& x) override;
  Variable propagate(const Variable& x, const SparsePattern& edges);

 private:
  std::shared_ptr<Linear> neighbours_, own_;
};

struct GatOptions {
  std::int64_t in = 0, out = 0;  // `out` features a head
  std::int64_t heads = 1;
  bool concat = true;  // heads side by side [rows, heads out]; else their mean [rows, out]
  double dropout = 0;  // of the attention coefficients
  double slope = 0.2;  // of the leaky ReLU
  bool version2 = false;
};

// sum over j of a_ij W x_j + bias, a_ij = softmax over the edges into i (and its loop) of
// leaky_relu(att_src W x_j + att_dst W x_i) (Velickovic et al. 2018); in version 2 of
// att leaky_relu(W_l x_j + W_r x_i), with W_l x_j as the message (Brody et al. 2022).
class GatConv final : public Module {
 public:
  GatConv(const GatOptions& options, Generator& generator);
  Variable forward(const Variable& x) override;
  // `edges` with the loops that are wanted, as Graph::with_loops().
  Variable propagate(const NodeFeatures& x, const SparsePattern& edges);

 private:
  // The scores of the edges before the softmax, [n, heads]; `messages` [columns, heads, out].
  Variable scores(const NodeFeatures& x, const Variable& messages,
                  const SparsePattern& edges) const;

  GatOptions options_;
  std::shared_ptr<Linear> source_, target_;
  std::shared_ptr<Dropout> dropout_;
  Parameter attention_source_, attention_target_, bias_;
};

// nn((1 + eps) x + sum of the neighbours), eps trained (Xu et al. 2019).
class GinConv final : public Module {
 public:
  explicit GinConv(std::shared_ptr<Module> network);
  Variable forward(const Variable& x) override;
  Variable propagate(const Variable& x, const SparsePattern& edges);

 private:
  Parameter eps_;
  std::shared_ptr<Module> network_;
};

// One vector a graph of a batch of graphs: x [n, d] and the graph of each node -> [graphs, d].
enum class GraphPooling { sum, mean, max };
Variable pool_graphs(GraphPooling kind, const Variable& x, const Segments& graph_of_node);

// Layers of sampled neighbourhoods, the outermost first (Hamilton et al. 2017).
struct NeighborSample {
  Tensor nodes;                       // i64: the nodes whose features the first layer reads
  std::vector<SparsePattern> layers;  // [rows, columns]; columns of a layer are rows of the last
};
// At most fanouts[i] of the edges into each node, drawn without replacement, for each layer, the
// first layer first. `seeds` i64, distinct: the rows of the last layer. Nodes keep the order in
// which they were met, receiving nodes first. Throws for an empty `fanouts` or one below 1.
NeighborSample sample_neighbors(const SparsePattern& edges, const Tensor& seeds,
                                const std::vector<std::int64_t>& fanouts, Generator& generator);

}  // namespace athanor::nn
