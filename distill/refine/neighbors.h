// Nearest neighbours by exhaustive search in blocks of matrix products, and what features 5 and 7
// read from them; a small k-means for the cells of the diversity entropy.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

struct Neighbors {
  std::int64_t k = 0;             // min(k asked for, N - 1)
  std::vector<std::int64_t> row;  // [N, k], nearest first, never the record itself
  std::vector<float> squared;     // [N, k] squared Euclidean distances
};

// `x` is f32 [N, D]. O(N^2 D), memory O(block N). Ties go to the lower row.
Neighbors nearest_neighbors(const Tensor& x, std::int64_t k);

// Feature 7: exp(-d / median(d)), d = mean Euclidean distance to the k nearest neighbours.
std::vector<double> typicality_of(const Neighbors& neighbors);

// Feature 5: 1 - max cosine to any other record of `among` (distinct rows), in [0, 1]. A record
// without another one is not applicable.
std::vector<double> novelty_of(const Tensor& x, std::span<const std::int64_t> among);

// Lloyd's k-means, k-means++ start, at most `iterations` rounds; the cluster of each row of x f32
// [N, D], in [0, k). Deterministic by seed. k is lowered to N.
std::vector<std::int64_t> kmeans_clusters(const Tensor& x, std::int64_t k, std::uint64_t seed,
                                          int iterations = 15);

}  // namespace athanor::distill
