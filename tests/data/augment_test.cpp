#include "data/augment.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "data/image_changes.h"
#include "data/samplers.h"
#include "tensor/base/parallel.h"
#include "tests/io/scratch.h"

using namespace athanor;
using namespace athanor::data;

namespace {

Tensor noise(std::int64_t count) {
  Generator g(1);
  std::vector<std::uint8_t> values;
  for (std::int64_t i = 0; i < count * 3 * 8 * 8; ++i) {
    values.push_back(static_cast<std::uint8_t>(g.next_below(256)));
  }
  return from_values(values, {count, 3, 8, 8});
}

}  // namespace

TEST_CASE("augmentation repeats with its generator, whatever the threads") {
  const Tensor images = noise(40);
  AugmentOptions options;
  options.crop_padding = 2;
  options.flip = true;
  options.operations = 2;
  options.erase = 0.5;
  const auto run = [&](int threads) {
    set_num_threads(threads);
    Generator g(7);
    augment(images, options, g);
    const auto result = augment(images, options, g).to_vector<std::uint8_t>();
    set_num_threads(0);
    return result;
  };
  const auto one = run(1);
  CHECK(one == run(2));
  CHECK(one != images.to_vector<std::uint8_t>());
  Generator g(7);
  CHECK(augment(images, {}, g).to_vector<std::uint8_t>() == images.to_vector<std::uint8_t>());
  options.magnitude = 2;
  CHECK_THROWS_AS(augment(images, options, g), Error);
}

TEST_CASE("crops move and flips mirror") {
  std::vector<std::uint8_t> pixels = {1, 2, 3, 4}, scratch;
  Picture picture{pixels.data(), 1, 2, 2};
  shift_picture(picture, 1, 0, scratch);
  CHECK(pixels == std::vector<std::uint8_t>{0, 0, 1, 2});
  shift_picture(picture, 0, -1, scratch);
  CHECK(pixels == std::vector<std::uint8_t>{0, 0, 2, 0});
  shift_picture(picture, 0, 5, scratch);
  CHECK(pixels == std::vector<std::uint8_t>{0, 0, 0, 0});
  // Half of many images are mirrored: 5 standard deviations of 400 coins are 50.
  AugmentOptions flip;
  flip.flip = true;
  const Tensor ramp = from_values<std::uint8_t>({1, 2}, {1, 1, 1, 2});
  Generator g(3);
  int mirrored = 0;
  for (int i = 0; i < 400; ++i) {
    mirrored += augment(ramp, flip, g).to_vector<std::uint8_t>()[0] == 2;
  }
  CHECK(std::abs(mirrored - 200) < 50);
}

TEST_CASE("known results of the picture operations") {
  const auto changed = [](std::vector<std::uint8_t> pixels, std::int64_t which, double strength) {
    std::vector<std::uint8_t> scratch;
    Picture picture{pixels.data(), 1, 1, static_cast<std::int64_t>(pixels.size())};
    change_picture(picture, which, strength, scratch);
    return pixels;
  };
  using Row = std::vector<std::uint8_t>;
  CHECK(changed({10, 20, 30}, 0, 1) == Row{10, 20, 30});        // identity
  CHECK(changed({10, 20, 200}, 6, 1) == Row{19, 38, 255});      // brightness x 1.9
  CHECK(changed({10, 30}, 7, -1) == Row{19, 21});               // contrast x 0.1 around 20
  CHECK(changed({0xff, 0x1f}, 9, 1) == Row{0xf0, 0x10});        // 4 bits
  CHECK(changed({10, 200}, 10, 0.5) == Row{10, 55});            // solarise above 127.5
  CHECK(changed({50, 75, 100}, 11, 1) == Row{0, 128, 255});     // auto-contrast
  CHECK(changed({9, 9, 7, 8}, 12, 1) == Row{255, 255, 0, 85});  // equalise: ranks
  CHECK(changed({1, 2, 3, 4}, 3, 1) == Row{2, 3, 4, 0});        // translate by 1.2 of 4
  CHECK(changed({1, 2, 3}, 5, 0) == Row{1, 2, 3});              // rotate by nothing
}

TEST_CASE("mixed batches keep one unit of label and mix pixels alike") {
  Generator g(5);
  const Tensor images = random_uniform({6, 1, 4, 4}, g);
  const Tensor labels = from_values<std::int64_t>({0, 1, 2, 0, 1, 2}, {6});
  for (const double alpha : {0.3, 1.0, 4.0}) {
    for (const bool cut : {false, true}) {
      const MixedBatch mixed =
          cut ? cutmix(images, labels, 3, alpha, g) : mixup(images, labels, 3, alpha, g);
      CHECK(mixed.images.shape() == images.shape());
      const auto targets = mixed.targets.to_vector<float>();
      for (std::size_t i = 0; i < 6; ++i) {
        CHECK(targets[3 * i] + targets[3 * i + 1] + targets[3 * i + 2] == Approx(1));
      }
      for (const float value : mixed.images.to_vector<float>()) CHECK((value >= 0 && value <= 1));
    }
  }
  CHECK_THROWS_AS(mixup(images, labels, 2, 1, g), Error);
}

TEST_CASE("weighted draws follow their weights and go on where they stopped") {
  WeightedSampler sampler({1, 0, 3, 4}, 11);
  std::vector<std::int64_t> counts(4, 0);
  const auto all = sampler.next(80'000);
  for (const std::int64_t record : all) ++counts[static_cast<std::size_t>(record)];
  // 5 standard deviations of a share of 1/2 in 80,000 draws: 707.
  CHECK(counts[1] == 0);
  CHECK(std::abs(counts[0] - 10'000) < 710);
  CHECK(std::abs(counts[2] - 30'000) < 710);
  WeightedSampler again({1, 0, 3, 4}, 99);
  again.restore({11, 500});
  CHECK(again.next(300) == std::vector<std::int64_t>(all.begin() + 500, all.begin() + 800));
  CHECK_THROWS_AS(WeightedSampler({0, 0}, 1), Error);
  CHECK_THROWS_AS(WeightedSampler({1, NAN}, 1), Error);
}

TEST_CASE("a curriculum opens from easy to hard") {
  CurriculumSampler::Options options;
  options.start = 0.25;
  options.pace = 1000;
  options.root = false;
  std::vector<double> difficulty;
  for (int i = 0; i < 100; ++i) difficulty.push_back(100 - i);  // the last is the easiest
  CurriculumSampler sampler(difficulty, options, 3);
  CHECK(sampler.share() == 0.25);
  for (const std::int64_t record : sampler.next(1)) CHECK(record >= 75);
  const auto first = sampler.next(499);
  CHECK(sampler.share() == Approx(0.625));
  for (const std::int64_t record : first) CHECK(record >= 100 - 63);
  CurriculumSampler again(difficulty, options, 0);
  again.restore({3, 1});
  CHECK(again.next(499) == first);
  sampler.next(5000);
  CHECK(sampler.share() == 1);
}
