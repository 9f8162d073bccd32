#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "distill/refine/feature_values.h"
#include "distill/refine/label_trust.h"
#include "distill/refine/neighbors.h"
#include "distill/refine/plant.h"
#include "distill/refine/surface.h"
#include "distill/refine/uniqueness.h"
#include "tensor/base/error.h"
#include "tensor/random.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

using Values = std::vector<double>;
using Labels = std::vector<std::int64_t>;

// A few double operations on values of order 1 leave no larger error.
Approx about(double value) { return Approx(value).margin(1e-12); }

// A dark image with one soft, bright shape whose place and size vary: an object on a dark ground.
Tensor shapes(std::int64_t n) {
  Generator random(3);
  Tensor images = empty({n, 28, 28}, DType::u8);
  for (std::int64_t i = 0; i < n; ++i) {
    const double cy = 11 + 5 * random.next_uniform(), cx = 11 + 5 * random.next_uniform();
    const double ry = 4 + 7 * random.next_uniform(), rx = 4 + 7 * random.next_uniform();
    const double slant = random.next_uniform() - .5, light = 120 + 130 * random.next_uniform();
    for (std::int64_t y = 0; y < 28; ++y) {
      for (std::int64_t x = 0; x < 28; ++x) {
        const double v = (double(y) - cy) / ry, u = (double(x) - cx) / rx + slant * v;
        const double value = light * std::exp(-std::pow(u * u + v * v, 2));
        images.data<std::uint8_t>()[(i * 28 + y) * 28 + x] = static_cast<std::uint8_t>(value);
      }
    }
  }
  return images;
}

ProbabilityTable table(std::initializer_list<double> values, std::int64_t classes) {
  const auto rows = static_cast<std::int64_t>(values.size()) / classes;
  return to_probability_table(from_values<double>(values, {rows, classes}), rows);
}

}  // namespace

TEST_CASE("freshness: half at the median age, the article's form, invalid stamps") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double now = 1e9, day = 86400;
  const Freshness f = freshness_of(Values{now, now - day, now - 2 * day, nan, now + 1}, now);
  REQUIRE(f.half_life == day);
  REQUIRE(f.value == Values{1, .5, .25, 0, 0});
  REQUIRE(f.exact[0] == 1);
  REQUIRE(f.exact[1] == about(std::exp(-24.)));
  REQUIRE(f.invalid == 2);
  REQUIRE(f.underflow == 0);
  // exp(-24 d) is 0 in double from about 31 days on.
  REQUIRE(freshness_of(Values{now, now - 40 * day}, now).underflow == .5);
}

TEST_CASE("likelihood penalises both tails, learnability is a band, stability counts") {
  const Values likelihood = likelihood_of(Values{3, 1, 5, 2, 4});
  const Values expected{1, .2, .2, .6, .6};
  for (std::size_t i = 0; i < 5; ++i) REQUIRE(likelihood[i] == about(expected[i]));
  REQUIRE(likelihood_of(Values{7, 7}) == Values{1, 1});
  Values el2n;
  for (int i = 0; i <= 20; ++i) el2n.push_back(i / 20.);
  const Values band = learnability_of(el2n);
  REQUIRE(band[0] == about(0));
  REQUIRE(band[1] == about(.5));  // halfway between the least and q10
  REQUIRE(band[2] == about(1));
  REQUIRE(band[10] == about(1));
  REQUIRE(band[19] == about(.5));
  REQUIRE(band[20] == about(0));
  const Values stability = stability_of(Labels{0, 1, 4}, 5);
  REQUIRE(stability[0] == about(1));
  REQUIRE(stability[1] == about(.75));
  REQUIRE(stability[2] == about(0));
  REQUIRE_THROWS_AS(stability_of(Labels{5}, 5), Error);
}

TEST_CASE("set entropy and what leaves with a record") {
  REQUIRE(normalised_entropy(Labels{0, 1, 2, 3}, 4) == about(1));
  REQUIRE(normalised_entropy(Labels{2, 2, 2}, 4) == about(0));
  REQUIRE(normalised_entropy(Labels{0, 0, 1, 1}, 4) == about(.5));
  // The rare cell's record is worth most, whatever its label is worth.
  const Values diversity = leave_one_out_diversity(Labels{0, 0, 0, 1}, 2);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(diversity[i] == about(0));
  REQUIRE(diversity[3] == about(1));
  REQUIRE(leave_one_out_diversity(Labels{0, 1}, 2) == Values{.5, .5});
  REQUIRE_THROWS_AS(normalised_entropy(Labels{4}, 4), Error);
}

TEST_CASE("label features by hand") {
  const ProbabilityTable p = table({.7, .2, .1, 0, 1, 0, .25, .25, .5}, 3);
  const Labels y{0, 0, 2};
  const Values margin = label_margins(p, y);
  REQUIRE(margin[0] == about(.75));
  REQUIRE(margin[1] == 0);
  REQUIRE(margin[2] == about(.625));
  const Values agreement = label_agreements(p, y);
  REQUIRE(agreement[1] == 0);
  // H = 1.5 ln 2.
  REQUIRE(agreement[2] == about((1 - 1.5 * std::log(2.) / std::log(3.)) * .5));
  const Values el2n = el2n_scores(p, y);
  REQUIRE(el2n[0] == about(std::sqrt(.09 + .04 + .01)));
  REQUIRE(el2n[1] == about(std::sqrt(2.)));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  REQUIRE_FALSE(is_applicable(label_margins(table({nan, nan}, 2), Labels{0})[0]));
  REQUIRE_THROWS_AS(table({.7, .7}, 2), Error);
}

TEST_CASE("a noise matrix is recovered, and the posterior is Bayes' rule") {
  // The true class is certain; class 0 is labelled 1 in 30 of 100 records, class 1 never wrong.
  Tensor p = empty({200, 2}, DType::f64);
  Labels y(200), rows(200);
  for (std::int64_t i = 0; i < 200; ++i) {
    const std::int64_t truth = i / 100;
    p.data<double>()[2 * i + truth] = 1;
    p.data<double>()[2 * i + 1 - truth] = 0;
    y[i] = truth == 0 && i < 30 ? 1 : truth;
    rows[i] = i;
  }
  const auto matrix = estimate_noise_matrix(to_probability_table(p, 200), y, rows);
  REQUIRE(matrix[0] == about(70.1 / 100.2));  // 0.1 is added to each cell
  REQUIRE(matrix[1] == about(30.1 / 100.2));
  REQUIRE(matrix[2] == about(.1 / 100.2));
  REQUIRE(matrix[3] == about(100.1 / 100.2));
  const ProbabilityTable half = table({.5, .5, .8, .2}, 2);
  const Values posterior = label_posteriors(half, Labels{1, 1}, Values{.7, .3, 0, 1});
  REQUIRE(posterior[0] == about(.5 / (.5 * .3 + .5)));
  REQUIRE(posterior[1] == about(.2 / (.8 * .3 + .2)));
}

TEST_CASE("noise of one span of time casts no doubt on the others") {
  // As above, but all wrong labels are of slice 1, which has 40 of the 100 records of class 0.
  Tensor p = empty({200, 2}, DType::f64);
  Labels y(200), rows(200), slice(200);
  for (std::int64_t i = 0; i < 200; ++i) {
    const std::int64_t truth = i / 100;
    p.data<double>()[2 * i + truth] = .9;
    p.data<double>()[2 * i + 1 - truth] = .1;
    y[i] = truth == 0 && i < 30 ? 1 : truth;
    slice[i] = i % 100 < 40;
    rows[i] = i;
  }
  const ProbabilityTable model = to_probability_table(p, 200);
  const SlicedNoise noise = estimate_sliced_noise(model, y, rows, slice, 2);
  REQUIRE(noise.of(1)[1] > 3 * noise.of(0)[1]);
  REQUIRE(noise.of(0)[0] + noise.of(0)[1] == about(1));
  const ProbabilityTable posterior = sliced_class_posteriors(model, y, slice, noise);
  // Label 1 against a model that says 0: believed less where such labels went wrong.
  const double odds = .1 * noise.of(1)[3] / (.9 * noise.of(1)[1]);
  REQUIRE(posterior.row(0)[1] == about(odds / (1 + odds)));
  const auto one =
      estimate_sliced_noise(model, y, rows, Labels(200, 0), 1, {.shrink = 0, .iterations = 5});
  const auto plain = estimate_noise_matrix(model, y, rows, 5);
  for (int c = 0; c < 4; ++c) REQUIRE(one.matrix[c] == Approx(plain[c]).margin(.002));
}

TEST_CASE("the classes' shares come from the labels where the model is unsure") {
  // 180 records of class 0 and 20 of class 1, labelled right; the model gives .7 to the true class,
  // and so .34 of all to class 1.
  Labels y, rows;
  Values p;
  for (std::int64_t i = 0; i < 200; ++i) {
    y.push_back(i < 20);
    rows.push_back(i);
    p.push_back(i < 20 ? .3 : .7);
    p.push_back(i < 20 ? .7 : .3);
  }
  const ProbabilityTable model{200, 2, p};
  const auto noise = estimate_sliced_noise(model, y, rows, Labels(200, 0), 1,
                                           {.shrink = 0, .iterations = 200, .shares = true});
  // The 0.1 added to each cell leaves the rows a little short of right.
  CHECK(.34 * noise.share[1] == Approx(.1).margin(.01));
  const ProbabilityTable q = with_shares(model, noise.share);
  const double odds = .3 * noise.share[1] / (.7 * noise.share[0]);
  CHECK(q.row(100)[1] == about(odds / (1 + odds)));
}

// A class of 2% of the records, 30% wrong labels: most of its labels are other classes' errors.
TEST_CASE("a rare class is drawn to the noise that all classes share") {
  constexpr std::int64_t n = 4000;
  constexpr double kShares[] = {.6, .38, .02};
  const auto other = [](std::int64_t k, std::uint32_t step) { return (k + 1 + step) % 3; };
  Generator random(11);
  Labels y, rows, slice(n);
  Values p;
  std::array<double, 3> frequency{};
  for (const std::int64_t k : {0, 1, 2}) {
    for (const std::int64_t from : {0, 1, 2})
      frequency[k] += kShares[from] * (k == from ? .7 : .15);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const double u = random.next_uniform();
    const std::int64_t truth = u < kShares[0] ? 0 : u < kShares[0] + kShares[1] ? 1 : 2;
    const auto step = [&] { return static_cast<std::uint32_t>(random.next_below(2)); };
    y.push_back(random.next_uniform() < .7 ? truth : other(truth, step()));
    const std::int64_t seen = random.next_uniform() < .94 ? truth : other(truth, step());
    double sum = 0;
    for (std::int64_t k = 0; k < 3; ++k) sum += frequency[k] * (k == seen ? .94 : .03);
    for (std::int64_t k = 0; k < 3; ++k) p.push_back(frequency[k] * (k == seen ? .94 : .03) / sum);
    rows.push_back(i);
  }
  const ProbabilityTable model{n, 3, p};
  const auto plain =
      estimate_sliced_noise(model, y, rows, slice, 1, {.shrink = 1000, .iterations = 50});
  const auto drawn = estimate_sliced_noise(model, y, rows, slice, 1,
                                           {.shrink = 1000, .iterations = 50, .equal_rows = 400});
  CHECK(plain.share == Values{1, 1, 1});
  CHECK(std::abs(drawn.matrix[8] - .7) < .5 * std::abs(plain.matrix[8] - .7));
}

TEST_CASE("confident joint flags a confident contradiction only") {
  const ProbabilityTable p = table({.9, .1, .8, .2, .1, .9, .2, .8, .95, .05, .5, .5}, 2);
  const auto flags = confident_joint_flags(p, Labels{0, 0, 1, 1, 1, 0});
  REQUIRE(flags == std::vector<char>{0, 0, 0, 0, 1, 0});
}

TEST_CASE("neighbours equal the plain search") {
  Generator random(9);
  const Tensor x = random_normal({700, 5}, random);
  const Neighbors near = nearest_neighbors(x, 3);
  const auto v = x.to_vector<float>();
  for (std::int64_t i = 0; i < 700; i += 97) {
    std::vector<std::pair<double, std::int64_t>> all;
    for (std::int64_t j = 0; j < 700; ++j) {
      double d = 0;
      for (int k = 0; k < 5; ++k) d += std::pow(double(v[i * 5 + k]) - v[j * 5 + k], 2);
      if (j != i) all.emplace_back(d, j);
    }
    std::sort(all.begin(), all.end());
    for (int r = 0; r < 3; ++r) {
      REQUIRE(near.row[i * 3 + r] == all[r].second);
      // |a|^2 + |b|^2 - 2ab in f32 on values of order 10.
      REQUIRE(near.squared[i * 3 + r] == Approx(all[r].first).margin(1e-4));
    }
  }
  REQUIRE(nearest_neighbors(x, 1000).k == 699);
}

TEST_CASE("typicality and novelty by hand") {
  // Points 0, 1 and 3 on a line; nearest distances 1, 1, 2; their median 1.
  const Tensor x = from_values<float>({0, 1, 3}, {3, 1});
  const Values typical = typicality_of(nearest_neighbors(x, 1));
  REQUIRE(typical[0] == Approx(std::exp(-1.)).margin(1e-6));
  REQUIRE(typical[2] == Approx(std::exp(-2.)).margin(1e-6));
  const Tensor y = from_values<float>({1, 0, 2, 0, 0, 3}, {3, 2});
  const Values novel = novelty_of(y, Labels{0, 1, 2});
  REQUIRE(novel[0] == Approx(0).margin(1e-6));
  REQUIRE(novel[2] == Approx(1).margin(1e-6));
  REQUIRE_FALSE(is_applicable(novelty_of(y, Labels{0})[0]));
}

TEST_CASE("k-means separates what is apart, the same way each time") {
  Tensor x = empty({60, 2});
  for (std::int64_t i = 0; i < 60; ++i) {
    x.data<float>()[2 * i] = static_cast<float>(100 * (i % 3)) + static_cast<float>(i) * .01f;
    x.data<float>()[2 * i + 1] = 0;
  }
  const auto cluster = kmeans_clusters(x, 3, 1);
  for (std::int64_t i = 3; i < 60; ++i) REQUIRE(cluster[i] == cluster[i % 3]);
  REQUIRE(cluster[0] != cluster[1]);
  REQUIRE(cluster[1] != cluster[2]);
  REQUIRE(cluster == kmeans_clusters(x, 3, 1));
}

TEST_CASE("every planted copy is found, shifted and noisy ones too") {
  const Tensor images = shapes(400);
  Tensor labels = empty({400}, DType::i64);
  for (std::int64_t i = 0; i < 400; ++i) labels.data<std::int64_t>()[i] = i % 10;
  PlantOptions options;
  options.size = 400;
  options.defects = {Defect::duplicate};
  const PlantedPool exact = plant_defects(images, labels, options);
  // A threshold of 0 leaves the equal bytes alone.
  const DuplicateGroups found = find_image_duplicates(exact.images, {.threshold = 0});
  std::int64_t copies = 0;
  for (std::int64_t i = 0; i < 400; ++i) {
    const std::int64_t original = exact.manifest[i].group;
    REQUIRE(found.group[i] == found.group[original]);
    copies += found.exact[i];
  }
  REQUIRE(copies == 248);
  REQUIRE(found.count == 152);

  options.defects = {Defect::near_duplicate};
  const PlantedPool near = plant_defects(images, labels, options);
  const DuplicateGroups groups = find_image_duplicates(near.images);
  for (std::int64_t i = 0; i < 400; ++i) {
    REQUIRE(groups.group[i] == groups.group[near.manifest[i].group]);
    REQUIRE(groups.exact[i] == 0);
  }
  REQUIRE_THROWS_AS(find_image_duplicates(near.images, {.threshold = 1}), Error);
}

TEST_CASE("unlike images are no copies of each other") {
  Generator random(4);
  Tensor images = empty({50, 28, 28}, DType::u8);
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    images.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(random.next_u32() >> 24);
  }
  REQUIRE(find_image_duplicates(images).count == 50);
}

TEST_CASE("who stands for a group") {
  REQUIRE(best_of_groups(Labels{0, 0, 2, 0}, Values{.1, .9, .5, .9}) == Labels{1, 2});
  REQUIRE(agrees_with_group(Labels{0, 0, 0, 3, 4, 4}, Labels{1, 1, 2, 5, 6, 7}) ==
          std::vector<char>{1, 1, 0, 1, 1, 1});
}

TEST_CASE("sound images pass; blanks, noise and foreign pictures are told apart") {
  const Tensor images = shapes(64);
  const SurfaceValidity sound = check_surface(images);
  for (std::int64_t i = 0; i < 64; ++i) REQUIRE(sound.valid(i));
  Tensor broken = empty({3, 28, 28}, DType::u8);
  Generator random(6);
  for (std::int64_t i = 0; i < 784; ++i) {
    broken.data<std::uint8_t>()[i] = 0;
    broken.data<std::uint8_t>()[784 + i] = random.next_u32() & 1u ? 255 : 0;
    broken.data<std::uint8_t>()[1568 + i] = 200;
  }
  broken.data<std::uint8_t>()[1568 + 400] = 0;
  for (std::int64_t i = 0; i < 100; ++i) broken.data<std::uint8_t>()[1568 + 300 + i] = 100;
  const SurfaceValidity faults = check_surface(broken);
  REQUIRE(faults.fault[0] == SurfaceFault::missing);
  REQUIRE(faults.fault[1] == SurfaceFault::noise);
  REQUIRE(faults.fault[2] == SurfaceFault::out_of_domain);
  REQUIRE(faults.share[2] == about(.6));     // border and corner of five checks
  REQUIRE(faults.statistics[0].hole == 23);  // ends in row and column 22 at most
}

TEST_CASE("a block of just the limit's size is told by its edges where that is asked for") {
  // An object of 20 x 20 with a hole of 14 x 14: cut out; merely dark.
  Tensor images = zeros({2, 28, 28}, DType::u8);
  const auto fill = [&](std::int64_t n, std::int64_t from, std::int64_t to, std::uint8_t value) {
    for (std::int64_t i = from; i < to; ++i) {
      for (std::int64_t j = from; j < to; ++j) {
        images.data<std::uint8_t>()[(n * 28 + i) * 28 + j] = value;
      }
    }
  };
  for (std::int64_t n = 0; n < 2; ++n) {
    fill(n, 4, 24, 150);
    fill(n, 6, 20, n == 0 ? 0 : 5);
  }
  const SurfaceValidity usual = check_surface(images);
  SurfaceLimits limits;
  limits.edges = true;
  const SurfaceValidity edged = check_surface(images, limits);
  for (std::int64_t n = 0; n < 2; ++n) {
    REQUIRE(usual.statistics[n].hole == 14);
    REQUIRE(usual.valid(n));
    REQUIRE(edged.valid(n) == (n != 0));
  }
  REQUIRE(edged.fault[0] == SurfaceFault::missing);
}
