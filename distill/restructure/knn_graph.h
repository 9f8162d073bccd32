// Nearest neighbours and the topology graph of the units (record embeddings).
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

enum class Metric {
  cosine,     // 1 - cos; a zero vector has distance 1 to all
  euclidean,  // the root of the squared distance
};

// k neighbours of each query, nearest first, ties to the lower index: entry r * k + j is the j-th
// of query r.
struct Neighbours {
  std::int64_t k = 0;
  std::vector<std::int32_t> index;
  std::vector<float> distance;
};

// Exact neighbours of `queries` [m, d] among `units` [n, d], both f32, by blocked matrix products.
// `self[r]` is the unit that is query r itself and is left out, -1 for none; empty = none at all.
// Throws unless 1 <= k <= n - 1.
Neighbours nearest(const Tensor& queries, const Tensor& units, std::int64_t k, Metric metric,
                   const std::vector<std::int64_t>& self = {});

// An undirected edge, i < j.
struct GraphEdge {
  std::int32_t i = 0, j = 0;
  float weight = 1;
};

struct KnnGraph {
  std::int64_t nodes = 0;
  Neighbours neighbours;         // of each unit, itself left out
  std::vector<GraphEdge> edges;  // sorted by (i, j)
};

// The symmetric mutual graph: i - j when each is among the other's k nearest. The weight is the
// cosine (not below 0) or 1 / (1 + distance / median distance).
KnnGraph knn_graph(const Tensor& embeddings, std::int64_t k = 10, Metric metric = Metric::cosine);

// Rows scaled to length 1; a zero row stays. [n, d] f32.
Tensor unit_rows(const Tensor& x);
// Copies of the given rows of x [n, d] f32.
Tensor take_rows(const Tensor& x, const std::vector<std::int64_t>& rows);

}  // namespace athanor::distill
