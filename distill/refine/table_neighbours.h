// Features 5 and 7, and the clusters of the diversity: where records lie among each other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "distill/refine/token_rows.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// Up to so many records neighbours are exact; beyond, those among 512 records drawn by seed.
inline constexpr std::int64_t kExactNeighbours = 8'192;

struct NeighbourFeatures {
  std::vector<double> novelty;     // 1 - cosine to the nearest record
  std::vector<double> typicality;  // exp(-mean distance to the 10 nearest / median)
  std::vector<std::int64_t> cluster;
  std::int64_t clusters = 0;
  std::string note;  // what was approximated, "" = nothing
};

// Records as unit vectors: rows of `embeddings` f32 [N, d] where it is defined, else projections of
// their tokens. `silent`: 1 for records that say nothing, whose values are NaN. `group` tells
// copies; outside the exact range a copy's novelty is at most 1 - near_duplicate. Of the first
// `known` records, whose values are known, only 512 drawn by seed are looked at (for the median),
// the others are NaN.
NeighbourFeatures neighbour_features(const TokenRows& tokens, const Tensor& embeddings,
                                     std::span<const char> silent,
                                     std::span<const std::int64_t> group, double near_duplicate,
                                     std::uint64_t seed, std::int64_t known = 0);

}  // namespace athanor::distill
