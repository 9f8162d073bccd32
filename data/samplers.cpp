#include "data/samplers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/base/error.h"

namespace athanor::data {
namespace {

// The uniform number in [0, 1) of draw k: 53 bits of one block.
double uniform_of(std::uint64_t seed, std::int64_t k) {
  const auto words = philox(seed, static_cast<std::uint64_t>(k), 0x53414d50);  // "SAMP"
  const std::uint64_t bits = static_cast<std::uint64_t>(words[0]) << 32 | words[1];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

void check_count(const char* op, std::int64_t count) {
  if (count < 0) fail(op, "expected a count >= 0, got ", count);
}

}  // namespace

WeightedSampler::WeightedSampler(const std::vector<double>& weights, std::uint64_t seed)
    : keep_(weights.size(), 1.0), alias_(weights.size()) {
  state_.seed = seed;
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!std::isfinite(weights[i]) || weights[i] < 0) {
      fail("WeightedSampler", "expected finite weights >= 0, got ", weights[i], " at ", i);
    }
    sum += weights[i];
  }
  if (!(sum > 0) || !std::isfinite(sum)) {
    fail("WeightedSampler", "expected a finite sum of weights above 0, got ", sum, " of ",
         weights.size());
  }
  std::vector<std::size_t> small, large;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    alias_[i] = static_cast<std::int64_t>(i);
    keep_[i] = weights[i] * static_cast<double>(weights.size()) / sum;
    (keep_[i] < 1 ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const std::size_t low = small.back(), high = large.back();
    small.pop_back();
    alias_[low] = static_cast<std::int64_t>(high);
    keep_[high] -= 1 - keep_[low];
    if (keep_[high] < 1) {
      large.pop_back();
      small.push_back(high);
    }
  }
  // What rounding left over: a record of weight 0 must not come from it.
  for (const std::size_t i : large) keep_[i] = 1;
  for (const std::size_t i : small) {
    if (weights[i] > 0) keep_[i] = 1;
  }
}

std::vector<std::int64_t> WeightedSampler::next(std::int64_t count) {
  check_count("WeightedSampler", count);
  std::vector<std::int64_t> records;
  const auto n = static_cast<double>(keep_.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const double at = uniform_of(state_.seed, state_.drawn++) * n;
    const auto place = std::min(static_cast<std::size_t>(at), keep_.size() - 1);
    const bool own = at - static_cast<double>(place) < keep_[place];
    records.push_back(own ? static_cast<std::int64_t>(place) : alias_[place]);
  }
  return records;
}

CurriculumSampler::CurriculumSampler(const std::vector<double>& difficulty, const Options& options,
                                     std::uint64_t seed)
    : options_(options), order_(difficulty.size()) {
  state_.seed = seed;
  if (difficulty.empty() || !(options.start > 0 && options.start <= 1) || options.pace < 1) {
    fail("CurriculumSampler", "expected records, start in (0, 1] and pace > 0, got ",
         difficulty.size(), ", ", options.start, " and ", options.pace);
  }
  for (std::size_t i = 0; i < difficulty.size(); ++i) {
    if (!std::isfinite(difficulty[i])) {
      fail("CurriculumSampler", "expected finite difficulties, got ", difficulty[i], " at ", i);
    }
  }
  std::iota(order_.begin(), order_.end(), 0);
  std::stable_sort(order_.begin(), order_.end(), [&](std::int64_t a, std::int64_t b) {
    return difficulty[static_cast<std::size_t>(a)] < difficulty[static_cast<std::size_t>(b)];
  });
}

double CurriculumSampler::share() const {
  const double done =
      std::min(1.0, static_cast<double>(state_.drawn) / static_cast<double>(options_.pace));
  const double c = options_.start;
  return options_.root ? std::sqrt(done * (1 - c * c) + c * c) : c + (1 - c) * done;
}

std::vector<std::int64_t> CurriculumSampler::next(std::int64_t count) {
  check_count("CurriculumSampler", count);
  std::vector<std::int64_t> records;
  for (std::int64_t i = 0; i < count; ++i) {
    const double open = std::max(1.0, std::floor(share() * static_cast<double>(order_.size())));
    const double at = uniform_of(state_.seed, state_.drawn++) * open;
    records.push_back(order_[std::min(static_cast<std::size_t>(at), order_.size() - 1)]);
  }
  return records;
}

}  // namespace athanor::data
