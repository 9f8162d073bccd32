// A picture of the topology graph: two coordinates for each unit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "distill/restructure/knn_graph.h"
#include "tensor/tensor.h"

namespace athanor::distill {

struct LayoutOptions {
  std::int64_t nodes = 1500;  // at most so many units are drawn, chosen at random
  int iterations = 250;
  std::uint64_t seed = 0;
};

struct LayoutNode {
  std::int64_t unit = 0;  // row of the embeddings
  float x = 0, y = 0;     // in [-1, 1]
};

struct Layout {
  std::vector<LayoutNode> nodes;
  std::vector<GraphEdge> edges;  // of the graph, between drawn units; i and j number `nodes`
};

// Places units [n, d] f32 in the plane: the first two principal components, then a neighbour
// embedding (t-SNE: van der Maaten & Hinton 2008, with equal weights on the 15 nearest drawn units)
// pulls neighbours together and pushes the rest apart. Deterministic by seed.
Layout layout_units(const Tensor& embeddings, const std::vector<GraphEdge>& edges,
                    const LayoutOptions& options = {});

// Writes {"nodes": [{"x", "y", "cluster", "label"}], "edges": [[i, j, weight]], "clusters",
// "noise"}. `clusters` and `labels` are those of all units (cluster -1 = noise); labels may be
// empty.
void write_graph_json(const std::filesystem::path& path, const Layout& layout,
                      const std::vector<std::int32_t>& clusters,
                      const std::vector<std::int64_t>& labels);

}  // namespace athanor::distill
