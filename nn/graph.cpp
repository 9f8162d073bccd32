#include "nn/graph.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/ops.h"
#include "nn/init.h"

namespace athanor::nn {
namespace {

using Edges = std::vector<std::pair<std::int64_t, std::int64_t>>;

// Sorted, without loops and copies.
Edges clean_edges(const Tensor& row, const Tensor& column, std::int64_t nodes, bool undirected) {
  if (row.rank() != 1 || !(row.shape() == column.shape()) || row.dtype() != DType::i64 ||
      column.dtype() != DType::i64) {
    fail("Graph", "expected rows and columns i64 [E], got ", describe(row), " and ",
         describe(column));
  }
  const auto from = row.to_vector<std::int64_t>(), to = column.to_vector<std::int64_t>();
  Edges edges;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (std::min(from[i], to[i]) < 0 || std::max(from[i], to[i]) >= nodes) {
      fail("Graph", "expected nodes in [0, ", nodes, "), got edge ", from[i], " ", to[i]);
    }
    if (from[i] == to[i]) continue;
    edges.emplace_back(from[i], to[i]);
    if (undirected) edges.emplace_back(to[i], from[i]);
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

SparsePattern pattern_of(const Edges& edges, std::int64_t rows, std::int64_t columns) {
  std::vector<std::int64_t> row, column;
  for (const auto& [r, c] : edges) {
    row.push_back(r);
    column.push_back(c);
  }
  const Shape shape{static_cast<std::int64_t>(edges.size())};
  return SparsePattern(from_values(row, shape), from_values(column, shape), rows, columns);
}

SparsePattern with_loops_of(Edges edges, std::int64_t nodes) {
  for (std::int64_t i = 0; i < nodes; ++i) edges.emplace_back(i, i);
  std::sort(edges.begin(), edges.end());
  return pattern_of(edges, nodes, nodes);
}

// 1 / sqrt(degree of row, degree of column) for each stored value.
Tensor symmetric_values(const SparsePattern& pattern) {
  const auto degree = pattern.by_row().sizes().to_vector<std::int64_t>();
  const auto row = pattern.row().to_vector<std::int64_t>();
  const auto column = pattern.column().to_vector<std::int64_t>();
  std::vector<double> values;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double product = static_cast<double>(degree[static_cast<std::size_t>(row[i])]) *
                           static_cast<double>(degree[static_cast<std::size_t>(column[i])]);
    values.push_back(1 / std::sqrt(product));
  }
  return from_values(values, {static_cast<std::int64_t>(values.size())});
}

void check_nodes(const char* layer, const NodeFeatures& x, const SparsePattern& edges) {
  if (x.nodes() == edges.columns() && edges.rows() <= edges.columns()) return;
  fail(layer, "expected x [", edges.columns(), ", in] and no more rows than columns, got [",
       x.nodes(), ", ", x.width(), "] and ", edges.rows(), " rows");
}

[[noreturn]] void needs_graph(const char* layer) {
  fail(layer, "expected propagate(x, graph): the layer needs a graph");
}

}  // namespace

Graph::Graph(const Tensor& row, const Tensor& column, std::int64_t nodes, bool undirected)
    : edges_(pattern_of(clean_edges(row, column, nodes, undirected), nodes, nodes)),
      with_loops_(with_loops_of(clean_edges(row, column, nodes, undirected), nodes)),
      normalized_(symmetric_values(with_loops_)) {}

NodeFeatures NodeFeatures::sparse(const Tensor& dense) {
  if (dense.rank() != 2) fail("NodeFeatures", "expected [n, in], got ", describe(dense));
  const std::int64_t n = dense.size(0), in = dense.size(1);
  const auto all = cast(dense, DType::f32).to_vector<float>();
  Edges places;
  std::vector<float> values;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k < in; ++k) {
      const float value = all[static_cast<std::size_t>(i * in + k)];
      if (value == 0) continue;
      places.emplace_back(i, k);
      values.push_back(value);
    }
  }
  const Shape shape{static_cast<std::int64_t>(values.size())};
  return NodeFeatures(pattern_of(places, n, in), cast(from_values(values, shape), dense.dtype()));
}

Variable NodeFeatures::times(const Variable& weight) const {
  if (!pattern_) return linear(dense_, weight);
  return sparse_matmul(*pattern_, values_, transpose(weight));
}

NodeFeatures NodeFeatures::dropped(Dropout& dropout) const {
  if (!pattern_) return NodeFeatures(dropout.forward(dense_));
  return NodeFeatures(*pattern_, dropout.forward(values_));
}

const Variable& NodeFeatures::dense() const {
  if (pattern_) fail("NodeFeatures", "expected dense features, got sparse ones");
  return dense_;
}

GcnConv::GcnConv(std::int64_t in, std::int64_t out, Generator& generator) {
  check_sizes("GcnConv", {in, out});
  weight_ = register_parameter("lin.weight", glorot_uniform({out, in}, in, out, generator));
  bias_ = register_parameter("bias", zeros({out}));
}

Variable GcnConv::forward(const Variable&) { needs_graph("GcnConv"); }

Variable GcnConv::propagate(const NodeFeatures& x, const Graph& graph) {
  check_nodes("GcnConv", x, graph.with_loops());
  const Variable projected = x.times(weight_);
  const Tensor values = cast(graph.normalized(), projected.dtype());
  return sparse_matmul(graph.with_loops(), values, projected) + bias_.get();
}

SageConv::SageConv(std::int64_t in, std::int64_t out, Generator& generator) {
  neighbours_ = register_module("lin_l", std::make_shared<Linear>(in, out, generator));
  own_ = register_module("lin_r", std::make_shared<Linear>(in, out, generator, false));
}

Variable SageConv::forward(const Variable&) { needs_graph("SageConv"); }

Variable SageConv::propagate(const Variable& x, const SparsePattern& edges) {
  check_nodes("SageConv", x, edges);
  const Tensor counts = cast(edges.by_row().sizes(), x.dtype());
  const Variable total = sparse_matmul(edges, Variable(), x);
  const Variable mean = total / Variable(unsqueeze(maximum(counts, ones_like(counts)), 1));
  return neighbours_->forward(mean) + own_->forward(slice(x, 0, 0, edges.rows()));
}

GatConv::GatConv(const GatOptions& options, Generator& generator) : options_(options) {
  const GatOptions& o = options_;
  check_sizes("GatConv", {o.in, o.out, o.heads});
  const std::int64_t width = o.heads * o.out;
  const auto project = [&](const char* name) {
    auto layer = register_module(name, std::make_shared<Linear>(o.in, width, generator, false));
    Variable weight = layer->parameters()[0];
    weight.set_value(glorot_uniform({width, o.in}, o.in, width, generator));
    return layer;
  };
  const auto attention = [&](const char* name) {
    return register_parameter(name, glorot_uniform({1, o.heads, o.out}, o.heads, o.out, generator));
  };
  source_ = project(o.version2 ? "lin_l" : "lin");
  if (o.version2) target_ = project("lin_r");
  attention_source_ = attention(o.version2 ? "att" : "att_src");
  if (!o.version2) attention_target_ = attention("att_dst");
  bias_ = register_parameter("bias", zeros({o.concat ? width : o.out}));
  if (o.dropout > 0) {
    dropout_ = register_module("dropout", std::make_shared<Dropout>(o.dropout, generator));
  }
}

Variable GatConv::forward(const Variable&) { needs_graph("GatConv"); }

Variable GatConv::scores(const NodeFeatures& x, const Variable& messages,
                         const SparsePattern& edges) const {
  const std::int64_t rows = edges.rows(), H = options_.heads;
  if (options_.version2) {
    const Variable receivers =
        reshape(slice(x.times(target_->weight()), 0, 0, rows), {rows, H, -1});
    const Variable both =
        index_select(messages, 0, edges.column()) + index_select(receivers, 0, edges.row());
    return sum(leaky_relu(both, options_.slope) * attention_source_.get(), {-1});
  }
  const Variable sent = sum(messages * attention_source_.get(), {-1});
  const Variable met = sum(slice(messages, 0, 0, rows) * attention_target_.get(), {-1});
  return leaky_relu(index_select(sent, 0, edges.column()) + index_select(met, 0, edges.row()),
                    options_.slope);
}

Variable GatConv::propagate(const NodeFeatures& x, const SparsePattern& edges) {
  check_nodes("GatConv", x, edges);
  const std::int64_t H = options_.heads, D = options_.out;
  const Variable messages = reshape(x.times(source_->weight()), {x.nodes(), H, D});
  Variable share = segment_softmax(scores(x, messages, edges), edges.by_row());
  if (dropout_) share = dropout_->forward(share);
  std::vector<Variable> heads;
  for (std::int64_t h = 0; h < H; ++h) {
    heads.push_back(sparse_matmul(edges, select(share, 1, h), select(messages, 1, h)));
  }
  const Variable joined = stack(heads, 1);  // [rows, heads, out]
  const Variable y = options_.concat ? reshape(joined, {edges.rows(), H * D}) : mean(joined, {1});
  return y + bias_.get();
}

GinConv::GinConv(std::shared_ptr<Module> network) {
  eps_ = register_parameter("eps", zeros({1}));
  network_ = register_module("nn", std::move(network));
}

Variable GinConv::forward(const Variable&) { needs_graph("GinConv"); }

Variable GinConv::propagate(const Variable& x, const SparsePattern& edges) {
  check_nodes("GinConv", x, edges);
  const Variable own = slice(x, 0, 0, edges.rows()) * (eps_.get() + 1.0);
  return network_->forward(own + sparse_matmul(edges, Variable(), x));
}

Variable pool_graphs(GraphPooling kind, const Variable& x, const Segments& graph_of_node) {
  switch (kind) {
    case GraphPooling::sum:
      return segment_sum(x, graph_of_node);
    case GraphPooling::mean:
      return segment_mean(x, graph_of_node);
    case GraphPooling::max:
      return segment_max(x, graph_of_node);
  }
  fail("pool_graphs", "unknown kind");
}

NeighborSample sample_neighbors(const SparsePattern& edges, const Tensor& seeds,
                                const std::vector<std::int64_t>& fanouts, Generator& generator) {
  if (fanouts.empty() || *std::min_element(fanouts.begin(), fanouts.end()) < 1) {
    fail("sample_neighbors", "expected at least one fan-out, all >= 1");
  }
  const auto offsets = edges.by_row().offsets().to_vector<std::int64_t>();
  const auto senders = edges.columns_by_row().to_vector<std::int64_t>();
  std::vector<std::int64_t> nodes = seeds.to_vector<std::int64_t>();
  std::vector<std::int64_t> place(static_cast<std::size_t>(edges.columns()), -1);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] < 0 || nodes[i] >= edges.rows() ||
        place[static_cast<std::size_t>(nodes[i])] >= 0) {
      fail("sample_neighbors", "expected distinct seeds in [0, ", edges.rows(), "), got ",
           nodes[i]);
    }
    place[static_cast<std::size_t>(nodes[i])] = static_cast<std::int64_t>(i);
  }
  std::vector<SparsePattern> layers;
  for (auto fanout = fanouts.rbegin(); fanout != fanouts.rend(); ++fanout) {
    const auto rows = static_cast<std::int64_t>(nodes.size());
    Edges chosen;
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto node = static_cast<std::size_t>(nodes[static_cast<std::size_t>(r)]);
      std::vector<std::int64_t> around(senders.begin() + offsets[node],
                                       senders.begin() + offsets[node + 1]);
      const auto all = static_cast<std::int64_t>(around.size());
      for (std::int64_t k = 0; k < std::min(*fanout, all); ++k) {
        const auto at = static_cast<std::size_t>(k);
        std::swap(around[at], around[static_cast<std::size_t>(k + generator.next_below(all - k))]);
        std::int64_t& column = place[static_cast<std::size_t>(around[at])];
        if (column < 0) {
          column = static_cast<std::int64_t>(nodes.size());
          nodes.push_back(around[at]);
        }
        chosen.emplace_back(r, column);
      }
    }
    layers.insert(layers.begin(),
                  pattern_of(chosen, rows, static_cast<std::int64_t>(nodes.size())));
  }
  const Shape shape{static_cast<std::int64_t>(nodes.size())};
  return {from_values(nodes, shape), std::move(layers)};
}

}  // namespace athanor::nn
