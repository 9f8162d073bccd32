// Curriculum sampling: batches filled from three pools of records by shares that change during
// training.
//
// Warm-up draws 70% high-diversity and 30% high-quality records, convergence 60% high-quality and
// 40% hard ones, with a linear change between. Hard = high EL2N *and* label trust >= 0.5: a high
// error alone mostly finds wrong labels.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

namespace athanor::distill {

// Row numbers. A record may lie in several pools.
struct SamplingPools {
  std::vector<std::int64_t> high_diversity, high_quality, hard;
};

// Pools out of `rows`, whose entries index the four per-record scores: the upper half by novelty,
// the upper half by quality, and, among those with trust >= 0.5, the upper `hard_share` by EL2N.
// Ties go to the lower row. Throws unless the scores have equal sizes that hold all rows.
SamplingPools make_pools(std::span<const std::int64_t> rows, std::span<const float> novelty,
                         std::span<const float> quality, std::span<const float> el2n,
                         std::span<const float> trust, double hard_share = 0.3);

struct SamplingOptions {
  std::array<double, 2> warm = {0.7, 0.3};      // high-diversity, high-quality
  std::array<double, 2> converge = {0.6, 0.4};  // high-quality, hard
  double warm_until = 1.0 / 3;                  // progress of training at which the change begins
  double converge_from = 2.0 / 3;               // and at which it ends
  std::int64_t batch = 128;
  std::uint64_t seed = 0;
};

// Whole numbers that add up to `total` and are nearest to total * shares: the largest remainders
// are rounded up, ties to the lower index. Throws unless shares are >= 0 with a positive sum.
std::vector<std::int64_t> largest_remainder(std::span<const double> shares, std::int64_t total);

class CurriculumSampler {
 public:
  // Throws usage for shares that do not add up to 1 or when all pools are empty.
  CurriculumSampler(SamplingPools pools, const SamplingOptions& options);

  // Shares {high_diversity, high_quality, hard} at `progress` in [0, 1]. The share of an empty pool
  // goes to the others.
  std::array<double, 3> mix(double progress) const;
  // The next batch's rows: exact quotas, each pool passed through in shuffled order before any of
  // its records comes again; no row twice in a batch while a pool has another to give.
  std::vector<std::int64_t> next(double progress);
  // New pools (difficulty changes during training); passes begin anew.
  void set_pools(SamplingPools pools);

 private:
  struct Pass {
    std::vector<std::int64_t> order;
    std::size_t cursor = 0;
    std::uint64_t number = 0;
  };
  void shuffle(std::size_t pool);
  std::int64_t draw(std::size_t pool, const std::unordered_set<std::int64_t>& taken);

  SamplingOptions options_;
  std::array<Pass, 3> passes_;
};

}  // namespace athanor::distill
