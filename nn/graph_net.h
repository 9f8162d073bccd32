// A stack of graph layers that gives scores for every node.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/graph.h"

namespace athanor::nn {

struct GraphNetOptions {
  std::string layer = "gcn";  // "gcn", "sage", "gat" or "gatv2"
  std::int64_t in = 0, classes = 0;
  std::vector<std::int64_t> hidden = {16};  // of a head, for gat
  std::int64_t heads = 8;                   // gat: of the hidden layers; the last one has 1
  double dropout = 0.5;                     // of each layer's input, and of gat's coefficients
};

// Dropout, layer, activation (ReLU; ELU for gat) for each hidden size; dropout and the last layer.
// Throws Error(usage) for an unknown layer. Sage needs dense features.
class GraphNet final : public Module {
 public:
  GraphNet(const GraphNetOptions& options, Generator& generator);
  Variable forward(const Variable& x) override;  // throws: needs a graph
  // [n, in] -> [n, classes]
  Variable run(const NodeFeatures& x, const Graph& graph);

 private:
  std::vector<std::shared_ptr<Module>> layers_;
  std::shared_ptr<Dropout> dropout_;
  bool elu_ = false;
};

}  // namespace athanor::nn
