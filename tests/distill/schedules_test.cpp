#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "distill/control/label_mix.h"
#include "distill/control/sampling.h"
#include "distill/control/temperature.h"
#include "tensor/base/error.h"

using namespace athanor;
using namespace athanor::distill;
using Rows = std::vector<std::int64_t>;

namespace {

Rows range(std::int64_t first, std::int64_t last) {
  Rows rows;
  for (std::int64_t row = first; row < last; ++row) rows.push_back(row);
  return rows;
}

}  // namespace

TEST_CASE("temperature schedules", "[temperature]") {
  const TemperatureSchedule stages;
  CHECK(stages.at(0) == 5);
  CHECK(stages.at(0.333) == 5);
  CHECK(stages.at(0.334) == 2);
  CHECK(stages.at(0.667) == 1);
  CHECK(stages.at(1) == 1);
  CHECK(stages.at(7) == 1);
  CHECK(stages.jumps(0.333, 0.334));
  CHECK_FALSE(stages.jumps(0.2, 0.3));

  const TemperatureSchedule linear(temperature_kind("linear"), {5, 1});
  CHECK(linear.at(0.25) == Approx(4));
  CHECK_FALSE(linear.jumps(0.25, 0.251));
  const TemperatureSchedule cosine(temperature_kind("cosine"), {5, 1});
  CHECK(cosine.at(0) == Approx(5));
  CHECK(cosine.at(0.5) == Approx(3));
  CHECK(cosine.at(1) == Approx(1));
  const TemperatureSchedule constant(temperature_kind("constant"), {4});
  CHECK(constant.at(0.9) == 4);

  CHECK_THROWS_AS(temperature_kind("step"), Error);
  CHECK_THROWS_AS(TemperatureSchedule(TemperatureKind::linear, {5, 0}), Error);
  CHECK_THROWS_AS(TemperatureSchedule(TemperatureKind::linear, {}), Error);
}

TEST_CASE("label mix", "[label_mix]") {
  const std::vector<float> trust = {0, 0.5f, 1, 2};
  const LabelMix by_trust;
  CHECK(by_trust.weights(0.3, trust) == std::vector<float>{0, 0.05f, 0.1f, 0.1f});
  CHECK_FALSE(by_trust.is_zero());
  const LabelMix half({label_mix_kind("constant"), 0.5, 0, 0});
  CHECK(half.weights(0.9, trust) == std::vector<float>(4, 0.5f));
  const LabelMix falling({label_mix_kind("scheduled"), 0.5, 0.1, 0});
  CHECK(falling.weights(0.5, trust)[0] == Approx(0.3f));
  CHECK(LabelMix({LabelMixKind::constant, 0, 0.5, 0.5}).is_zero());
  CHECK_THROWS_AS(label_mix_kind("hard"), Error);
  CHECK_THROWS_AS(LabelMix({LabelMixKind::trust, 0, 0, 1.5}), Error);
}

TEST_CASE("largest remainder", "[sampling]") {
  using Shares = std::vector<double>;
  CHECK(largest_remainder(Shares{0.7, 0.3}, 128) == Rows{90, 38});  // 89.6, 38.4
  CHECK(largest_remainder(Shares{0.7, 0.3}, 10) == Rows{7, 3});
  CHECK(largest_remainder(Shares{1, 1, 1}, 128) == Rows{43, 43, 42});
  CHECK(largest_remainder(Shares{0, 1}, 5) == Rows{0, 5});
  CHECK_THROWS_AS(largest_remainder(Shares{0, 0}, 5), Error);
}

TEST_CASE("quotas of every batch are exact and change linearly", "[sampling]") {
  SamplingOptions options;
  CurriculumSampler sampler({range(0, 500), range(500, 1000), range(1000, 1300)}, options);
  for (int step = 0; step <= 60; ++step) {
    const double progress = step / 60.0;
    const double t = std::min(std::max((progress - 1.0 / 3) * 3, 0.0), 1.0);
    const std::vector<double> shares = {0.7 * (1 - t), 0.3 * (1 - t) + 0.6 * t, 0.4 * t};
    const Rows batch = sampler.next(progress);
    Rows counts = {0, 0, 0};
    for (std::int64_t row : batch) ++counts[row < 500 ? 0 : row < 1000 ? 1 : 2];
    CHECK(counts == largest_remainder(shares, options.batch));
  }
}

TEST_CASE("a pool is passed through before a record returns", "[sampling]") {
  SamplingOptions options;
  options.batch = 10;
  CurriculumSampler sampler({range(0, 70), range(70, 100), {}}, options);
  std::map<std::int64_t, int> seen;
  for (int i = 0; i < 10; ++i) {
    for (std::int64_t row : sampler.next(0)) ++seen[row];
  }
  CHECK(seen.size() == 100);  // 7 of 70 and 3 of 30 a batch: one whole pass of both
  const std::array<double, 3> late = sampler.mix(1);  // nothing is hard: all high-quality
  CHECK(late == std::array<double, 3>{0, 1, 0});
}

TEST_CASE("no row comes twice in a batch while the pools allow it", "[sampling]") {
  SamplingOptions options;
  options.batch = 20;
  CurriculumSampler sampler({range(0, 100), range(0, 100), {}}, options);
  // 7 batches of 14 + 6: no pass ends, so there always is another record to give.
  for (int i = 0; i < 7; ++i) {
    const Rows batch = sampler.next(0.1);
    CHECK(std::set<std::int64_t>(batch.begin(), batch.end()).size() == 20);
  }
}

TEST_CASE("batches are a function of the seed", "[sampling]") {
  SamplingOptions options;
  const SamplingPools pools = {range(0, 50), range(20, 80), range(60, 100)};
  CurriculumSampler a(pools, options), b(pools, options);
  options.seed = 1;
  CurriculumSampler other(pools, options);
  bool differs = false;
  for (int i = 0; i < 5; ++i) {
    const Rows batch = a.next(i / 5.0);
    CHECK(batch == b.next(i / 5.0));
    differs |= batch != other.next(i / 5.0);
  }
  CHECK(differs);
}

TEST_CASE("hard records are those with a high error and a trusted label", "[sampling]") {
  const std::vector<float> novelty = {4, 3, 2, 1}, quality = {1, 2, 3, 4};
  const std::vector<float> el2n = {0.9f, 0.8f, 0.7f, 0.1f}, trust = {0.1f, 0.9f, 0.6f, 0.9f};
  const SamplingPools pools = make_pools(range(0, 4), novelty, quality, el2n, trust, 0.5);
  CHECK(pools.high_diversity == Rows{0, 1});
  CHECK(pools.high_quality == Rows{3, 2});
  CHECK(pools.hard == Rows{1, 2});  // not 0: its label is not trusted
  CHECK_THROWS_AS(make_pools(range(0, 5), novelty, quality, el2n, trust), Error);
}

TEST_CASE("senseless sampling options are usage errors", "[sampling]") {
  SamplingOptions options;
  CHECK_THROWS_AS(CurriculumSampler({}, options), Error);
  options.warm = {0.7, 0.2};
  CHECK_THROWS_AS(CurriculumSampler({range(0, 5), {}, {}}, options), Error);
}
