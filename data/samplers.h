// Orders of records other than plain permutations.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/random.h"

namespace athanor::data {

// Where a sampler stands: everything that is needed to go on from there.
struct SamplerState {
  std::uint64_t seed = 0;
  std::int64_t drawn = 0;  // records that were handed out

  friend bool operator==(const SamplerState&, const SamplerState&) = default;
};

// Record i with probability weight[i] / sum, with replacement. Draw k depends on (seed, k) and the
// weights alone, so that a run can stop and go on anywhere, in steps of any size. O(1) a draw
// (alias method; Vose 1991).
class WeightedSampler {
 public:
  // Throws unless all weights are finite and >= 0, and one is above 0.
  WeightedSampler(const std::vector<double>& weights, std::uint64_t seed);
  std::vector<std::int64_t> next(std::int64_t count);

  const SamplerState& state() const { return state_; }
  void restore(const SamplerState& state) { state_ = state; }

 private:
  std::vector<double> keep_;         // P(place i stands for record i itself)
  std::vector<std::int64_t> alias_;  // else for this one
  SamplerState state_;
};

// From easy to hard (Bengio et al. 2009): after `drawn` records, batches come uniformly from the
// easiest share of the records, which grows from `start` to all of them over `pace` draws:
// linearly, or by its square root (Platanios et al. 2019).
class CurriculumSampler {
 public:
  struct Options {
    double start = 0.2;         // in (0, 1]
    std::int64_t pace = 10000;  // > 0
    bool root = true;
  };
  // difficulty[i]: higher is harder; finite.
  CurriculumSampler(const std::vector<double>& difficulty, const Options& options,
                    std::uint64_t seed);
  std::vector<std::int64_t> next(std::int64_t count);
  // The share that the next draw comes from, in (0, 1].
  double share() const;

  const SamplerState& state() const { return state_; }
  void restore(const SamplerState& state) { state_ = state; }

 private:
  Options options_;
  std::vector<std::int64_t> order_;  // easy first
  SamplerState state_;
};

}  // namespace athanor::data
