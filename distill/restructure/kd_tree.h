// Exact neighbour queries in Euclidean space by a k-d tree (Bentley 1975): O(log n) a query in few
// dimensions, a scan with early exit in many.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

class KdTree {
 public:
  // points: [n, d] f32, n >= 1; kept alive by the tree.
  explicit KdTree(const Tensor& points);

  std::int64_t size() const { return n_; }
  // All points at most `radius` from point i, itself included, by rising index.
  std::vector<std::int32_t> within(std::int64_t i, float radius) const;
  // Distance of point i to its k-th nearest other point, 1 <= k < n.
  float kth_distance(std::int64_t i, std::int64_t k) const;
  // Distance of two points, computed as in the queries.
  float distance(std::int64_t i, std::int64_t j) const;

 private:
  struct Cell {
    std::int32_t begin = 0, end = 0;     // of order_
    std::int32_t left = -1, right = -1;  // cells; -1 in a leaf
  };
  std::int32_t build(std::int32_t begin, std::int32_t end);
  float box_distance(std::int32_t cell, const float* point) const;
  // Calls visit(index, squared distance) for each point of squared distance <= limit; visit may
  // lower limit.
  template <class Visit>
  void search(std::int32_t cell, const float* point, float& limit, Visit&& visit) const;

  Tensor points_;
  std::int64_t n_, d_;
  std::vector<std::int32_t> order_;
  std::vector<Cell> cells_;
  std::vector<float> boxes_;  // lowest d values, then highest d values, for each cell
};

}  // namespace athanor::distill
