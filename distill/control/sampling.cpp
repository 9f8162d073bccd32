#include "distill/control/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/base/error.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

using Rows = std::vector<std::int64_t>;

// The first `count` of `rows` by falling score.
Rows best(Rows rows, std::span<const float> score, std::size_t count) {
  std::stable_sort(rows.begin(), rows.end(), [&](std::int64_t a, std::int64_t b) {
    const float x = score[static_cast<std::size_t>(a)], y = score[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  rows.resize(std::min(count, rows.size()));
  return rows;
}

void check_shares(const char* name, const std::array<double, 2>& shares) {
  if (!(shares[0] >= 0 && shares[1] >= 0) || std::abs(shares[0] + shares[1] - 1) > 1e-9) {
    raise(ErrorKind::usage, "[sampling] expected two shares >= 0 that add up to 1 for ", name,
          ", got ", shares[0], " and ", shares[1]);
  }
}

}  // namespace

SamplingPools make_pools(std::span<const std::int64_t> rows, std::span<const float> novelty,
                         std::span<const float> quality, std::span<const float> el2n,
                         std::span<const float> trust, double hard_share) {
  const std::size_t n = novelty.size();
  if (quality.size() != n || el2n.size() != n || trust.size() != n) {
    fail("make_pools", "expected four scores of one size, got ", n, ", ", quality.size(), ", ",
         el2n.size(), ", ", trust.size());
  }
  const Rows all(rows.begin(), rows.end());
  Rows trusted;
  for (std::int64_t row : all) {
    if (row < 0 || row >= static_cast<std::int64_t>(n)) {
      fail("make_pools", "expected rows in [0, ", n, "), got ", row);
    }
    if (trust[static_cast<std::size_t>(row)] >= 0.5f) trusted.push_back(row);
  }
  const std::size_t half = (all.size() + 1) / 2;
  const auto hard = static_cast<std::size_t>(
      std::ceil(std::clamp(hard_share, 0.0, 1.0) * static_cast<double>(trusted.size())));
  return {best(all, novelty, half), best(all, quality, half), best(trusted, el2n, hard)};
}

Rows largest_remainder(std::span<const double> shares, std::int64_t total) {
  double sum = 0;
  for (double share : shares) {
    if (!(share >= 0)) fail("largest_remainder", "expected shares >= 0, got ", share);
    sum += share;
  }
  if (!(sum > 0)) fail("largest_remainder", "expected a positive sum of shares, got ", sum);
  Rows quotas(shares.size());
  std::vector<double> remainder(shares.size());
  std::int64_t given = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double exact = static_cast<double>(total) * shares[i] / sum;
    // 0.7 * 10 must give 7 although it is 6.999... in binary.
    quotas[i] = static_cast<std::int64_t>(std::floor(exact + 1e-9));
    remainder[i] = exact - static_cast<double>(quotas[i]);
    given += quotas[i];
  }
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return remainder[a] > remainder[b] + 1e-9;
  });
  for (std::size_t i = 0; given < total; ++i, ++given) ++quotas[order[i % order.size()]];
  return quotas;
}

CurriculumSampler::CurriculumSampler(SamplingPools pools, const SamplingOptions& options)
    : options_(options) {
  check_shares("warm", options.warm);
  check_shares("converge", options.converge);
  if (options.batch < 1) {
    raise(ErrorKind::usage, "[sampling] expected batch >= 1, got ", options.batch);
  }
  if (!(options.warm_until >= 0 && options.warm_until <= options.converge_from)) {
    raise(ErrorKind::usage, "[sampling] expected 0 <= warm_until <= converge_from, got ",
          options.warm_until, " and ", options.converge_from);
  }
  set_pools(std::move(pools));
}

void CurriculumSampler::set_pools(SamplingPools pools) {
  if (pools.high_diversity.empty() && pools.high_quality.empty() && pools.hard.empty()) {
    raise(ErrorKind::usage, "[sampling] expected a record in some pool, got three empty pools");
  }
  passes_[0].order = std::move(pools.high_diversity);
  passes_[1].order = std::move(pools.high_quality);
  passes_[2].order = std::move(pools.hard);
  for (std::size_t pool = 0; pool < passes_.size(); ++pool) shuffle(pool);
}

std::array<double, 3> CurriculumSampler::mix(double progress) const {
  const double from = options_.warm_until, to = options_.converge_from;
  double t = progress < from ? 0.0 : 1.0;
  if (progress < to && progress >= from) t = (progress - from) / (to - from);
  std::array<double, 3> shares = {(1 - t) * options_.warm[0],
                                  (1 - t) * options_.warm[1] + t * options_.converge[0],
                                  t * options_.converge[1]};
  double left = 0;
  for (std::size_t pool = 0; pool < 3; ++pool) {
    if (passes_[pool].order.empty()) shares[pool] = 0;
    left += shares[pool];
  }
  for (std::size_t pool = 0; pool < 3; ++pool) {
    if (left > 0) shares[pool] /= left;
    // Only pools that this moment does not ask for have records: share alike between them.
    if (left == 0) shares[pool] = passes_[pool].order.empty() ? 0 : 1;
  }
  const double sum = shares[0] + shares[1] + shares[2];
  for (double& share : shares) share /= sum;
  return shares;
}

std::vector<std::int64_t> CurriculumSampler::next(double progress) {
  const std::array<double, 3> shares = mix(progress);
  const Rows quotas = largest_remainder(shares, options_.batch);
  Rows batch;
  std::unordered_set<std::int64_t> taken;
  for (std::size_t pool = 0; pool < 3; ++pool) {
    for (std::int64_t k = 0; k < quotas[pool]; ++k) {
      batch.push_back(draw(pool, taken));
      taken.insert(batch.back());
    }
  }
  return batch;
}

// The next record of the pass that is not in the batch yet; it changes places with the one whose
// turn it was.
std::int64_t CurriculumSampler::draw(std::size_t pool,
                                     const std::unordered_set<std::int64_t>& taken) {
  Pass& pass = passes_[pool];
  if (pass.cursor == pass.order.size()) shuffle(pool);
  for (std::size_t i = pass.cursor; i < pass.order.size(); ++i) {
    if (!taken.contains(pass.order[i])) {
      std::swap(pass.order[i], pass.order[pass.cursor]);
      break;
    }
  }
  return pass.order[pass.cursor++];
}

void CurriculumSampler::shuffle(std::size_t pool) {
  Pass& pass = passes_[pool];
  // Sorted first: a pass depends on the pool's records, the seed and its number alone.
  std::sort(pass.order.begin(), pass.order.end());
  Generator generator = Generator(options_.seed).fork(pool).fork(pass.number++);
  for (std::size_t i = pass.order.size(); i > 1; --i) {
    const auto j = static_cast<std::size_t>(generator.next_below(static_cast<std::int64_t>(i)));
    std::swap(pass.order[i - 1], pass.order[j]);
  }
  pass.cursor = 0;
}

}  // namespace athanor::distill
