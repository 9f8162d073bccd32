// k-means (Lloyd 1982) from k-means++ seeds (Arthur & Vassilvitskii 2007).
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

struct KmeansOptions {
  std::int64_t clusters = 10;
  int restarts = 4;  // the one of least inertia is kept
  int iterations = 50;
  std::uint64_t seed = 0;
};

struct KmeansResult {
  std::vector<std::int32_t> labels;
  Tensor centres;      // [clusters, d] f32
  double inertia = 0;  // sum of squared distances to the own centre
};

// Clusters points [n, d] f32. Throws unless 1 <= clusters <= n. A centre that loses all its points
// moves to the point that is worst served. The same seed gives the same bits.
KmeansResult kmeans(const Tensor& points, const KmeansOptions& options);

}  // namespace athanor::distill
