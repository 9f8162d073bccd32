// What features 4 and 10 learn from: words as dense rows, discriminants, and their small solvers.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "distill/refine/cholesky.h"
#include "distill/refine/discriminant.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/label_weighing.h"
#include "distill/refine/latent_words.h"
#include "distill/refine/leading_directions.h"
#include "distill/refine/tridiagonal.h"
#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"

using namespace athanor;
using namespace athanor::distill;
using Catch::Detail::Approx;

namespace {

double cosine(const Tensor& x, std::int64_t a, std::int64_t b) {
  const std::int64_t d = x.size(1);
  double sum = 0;
  for (std::int64_t j = 0; j < d; ++j) {
    sum += double(x.data<float>()[a * d + j]) * x.data<float>()[b * d + j];
  }
  return sum;
}

}  // namespace

TEST_CASE("a Cholesky factor and its inverse", "[label_views]") {
  // L = [[2, 0, 0], [1, 3, 0], [-1, 2, 1]], a = L L' by hand.
  const Tensor a = from_values(std::vector<double>{4, 2, -2, 2, 10, 5, -2, 5, 6}, {3, 3});
  const Tensor lower = cholesky(a, 0);
  const std::vector<double> expected{2, 0, 0, 1, 3, 0, -1, 2, 1};
  for (int i = 0; i < 9; ++i) CHECK(lower.data<double>()[i] == Approx(expected[i]).margin(1e-14));
  const Tensor one = contiguous(matmul(lower, inverse_lower(lower)));
  for (int i = 0; i < 9; ++i) CHECK(one.data<double>()[i] == Approx(i % 4 == 0).margin(1e-14));
  // Rank 1: finite all the same.
  const Tensor flat = cholesky(from_values(std::vector<double>{1, 1, 1, 1}, {2, 2}), 0);
  CHECK(std::isfinite(inverse_lower(flat).data<double>()[2]));
  CHECK_THROWS_AS(cholesky(zeros({2, 3}, DType::f64), 0), Error);
}

TEST_CASE("a tridiagonal matrix in a turned basis", "[label_views]") {
  for (const std::int64_t n : {1, 2, 3, 4, 20, 45}) {
    Generator random(static_cast<std::uint64_t>(n));
    Tensor half = empty({n, n}, DType::f64);
    for (std::int64_t i = 0; i < n * n; ++i) half.data<double>()[i] = random.next_normal();
    // The last one has a row and a column of zeros, where there is nothing to turn.
    for (std::int64_t j = 0; n == 45 && j < n; ++j) half.data<double>()[j] = 0;
    const Tensor a = contiguous(matmul(half, transpose(half)));
    const Tridiagonal t = tridiagonalise(a);
    REQUIRE(std::ssize(t.diagonal) == n);
    REQUIRE(std::ssize(t.beside) == n - 1);
    Tensor middle = zeros({n, n}, DType::f64);
    for (std::int64_t i = 0; i < n; ++i) {
      middle.data<double>()[i * n + i] = t.diagonal[i];
      if (i == 0) continue;
      middle.data<double>()[i * n + i - 1] = t.beside[i - 1];
      middle.data<double>()[(i - 1) * n + i] = t.beside[i - 1];
    }
    const Tensor one = contiguous(matmul(transpose(t.q), t.q));
    const Tensor back = contiguous(matmul(matmul(t.q, middle), transpose(t.q)));
    for (std::int64_t i = 0; i < n * n; ++i) {
      CHECK(one.data<double>()[i] == Approx(i % (n + 1) == 0).margin(1e-13));
      CHECK(back.data<double>()[i] == Approx(a.data<double>()[i]).margin(1e-12));
    }
  }
  CHECK_THROWS_AS(tridiagonalise(zeros({2, 3}, DType::f64)), Error);
  CHECK_THROWS_AS(tridiagonalise(zeros({2, 2})), Error);
}

TEST_CASE("half of a product of columns with themselves", "[label_views]") {
  Generator random(3);
  Tensor y = empty({310, 290}, DType::f64);
  for (std::int64_t i = 0; i < y.numel(); ++i) y.data<double>()[i] = random.next_normal();
  CHECK(gram(y).to_vector<double>() == contiguous(matmul(transpose(y), y)).to_vector<double>());
  CHECK_THROWS_AS(gram(zeros({2, 2})), Error);
}

TEST_CASE("latent words keep the cosines of tf-idf rows, and bring synonyms together",
          "[label_views]") {
  TextArena texts;
  for (const char* text :
       {"red apple", "red pear", "green apple", "green pear", "blue sky over sea",
        "blue sea under sky", "apple pear red green", "sky sea", ""}) {
    texts.add(text);
  }
  const TokenRows tokens = tokens_of(texts);
  // As many dimensions as records: nothing is lost. Cosines of the rows whose words occur in two
  // records at least, from the definition.
  const Tensor full = latent_words(tokens, 9, 1);
  REQUIRE(full.size(0) == 9);
  CHECK(cosine(full, 0, 0) == Approx(1).margin(1e-5));
  // Each colour and each fruit occurs in 3 records, so that the cells' weights are alike; the pairs
  // "red apple", ... occur once and are left out.
  CHECK(cosine(full, 0, 1) == Approx(.5).margin(1e-4));
  CHECK(cosine(full, 0, 3) == Approx(0).margin(1e-4));
  CHECK(cosine(full, 0, 4) == Approx(0).margin(1e-4));
  CHECK(cosine(full, 8, 8) == Approx(0).margin(1e-5));
  // On two directions the fruits are one topic: records without a common word are alike.
  const Tensor two = latent_words(tokens, 2, 1);
  REQUIRE(two.size(1) == 2);
  CHECK(cosine(two, 0, 3) > .95);
  CHECK(std::abs(cosine(two, 0, 4)) < .15);  // a few steps leave some of the next direction
  CHECK_THROWS_AS(latent_words(tokens, 0, 1), Error);
}

TEST_CASE("leading directions hold the variance, whatever the mean", "[label_views]") {
  // Three strong directions, turned within 40 numbers, weak noise on all, and a mean far away.
  constexpr std::int64_t n = 400, d = 40, k = 3;
  Generator random(8);
  std::vector<double> axis(static_cast<std::size_t>(k * d));
  for (double& a : axis) a = random.next_normal();
  Tensor x = empty({n, d});
  for (std::int64_t i = 0; i < n; ++i) {
    double strength[k];
    for (double& s : strength) s = random.next_normal();
    for (std::int64_t j = 0; j < d; ++j) {
      double value = 50 + .01 * random.next_normal();
      for (std::int64_t a = 0; a < k; ++a) value += strength[a] * axis[a * d + j];
      x.data<float>()[i * d + j] = static_cast<float>(value);
    }
  }
  const Tensor few = leading_directions(x, k, 1);
  const Tensor all = leading_directions(x, 100, 1);  // nothing is left out
  REQUIRE(few.shape() == Shape{n, k});
  REQUIRE(all.shape() == Shape{n, d});
  // Distances of records stay what they are but for the noise (of length .01 sqrt(2 * 40)).
  for (std::int64_t i = 1; i < 20; ++i) {
    double kept = 0, whole = 0;
    for (std::int64_t j = 0; j < k; ++j) {
      kept += std::pow(few.data<float>()[i * k + j] - few.data<float>()[j], 2);
    }
    for (std::int64_t j = 0; j < d; ++j) {
      whole += std::pow(x.data<float>()[i * d + j] - x.data<float>()[j], 2);
      CHECK(all.data<float>()[i * d + j] - all.data<float>()[j] ==
            Approx(x.data<float>()[i * d + j] - x.data<float>()[j]).margin(1e-4));
    }
    CHECK(std::sqrt(kept) == Approx(std::sqrt(whole)).margin(.1));
  }
  CHECK_THROWS_AS(leading_directions(x, 0, 1), Error);
  CHECK_THROWS_AS(leading_directions(cast(x, DType::f64), 2, 1), Error);
}

TEST_CASE("discriminants out of fold see through wrong labels", "[label_views]") {
  constexpr std::int64_t n = 1200, d = 20, classes = 3;
  Generator random(5);
  Tensor x = empty({n, d});
  std::vector<std::int64_t> truth, group;
  ProbabilityTable targets{n, classes, std::vector<double>(n * classes)};
  for (std::int64_t i = 0; i < n; ++i) {
    truth.push_back(random.next_below(classes));
    group.push_back(i);
    for (std::int64_t j = 0; j < d; ++j) {
      x.data<float>()[i * d + j] =
          static_cast<float>(random.next_normal() + (j == truth.back() ? 3 : 0));
    }
    // 40% of the labels are wrong, at random.
    const std::int64_t off = random.next_uniform() < .4 ? 1 + random.next_below(2) : 0;
    targets.values[i * classes + (truth.back() + off) % classes] = 1;
  }
  const std::vector<float> weight(n, 1);
  const DiscriminantFolds folds(x, group, weight, 5, 1);
  const ProbabilityTable p = folds.out_of_fold(targets, .1);
  int right = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double* row = p.row(i);
    CHECK(row[0] + row[1] + row[2] == Approx(1));
    right += std::max_element(row, row + classes) - row == truth[i];
  }
  // Two classes lie 3 sqrt 2 apart; the best rule errs in 3%.
  CHECK(right > .93 * n);

  // A record's own label does not count: turned round, its own probabilities stay the same.
  ProbabilityTable other = targets;
  std::rotate(other.values.begin(), other.values.begin() + 1, other.values.begin() + classes);
  const ProbabilityTable q = folds.out_of_fold(other, .1);
  for (std::int64_t k = 0; k < classes; ++k) CHECK(q.row(0)[k] == p.row(0)[k]);
  CHECK(q.values != p.values);
  CHECK_THROWS_AS(folds.out_of_fold(targets, 0), Error);

  // A fold that is left out is not judged, and its labels do not touch the others' answers.
  REQUIRE(folds.folds() == 5);
  ProbabilityTable turned = targets;
  for (int fold = 0; fold < 5; ++fold) {
    const ProbabilityTable without = folds.out_of_fold(targets, .1, fold);
    ProbabilityTable alone = without;
    folds.judge_fold(fold, targets, .1, alone);
    int left_out = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      CHECK(alone.known(i));
      if (without.known(i)) continue;
      ++left_out;
      CHECK(std::equal(p.row(i), p.row(i) + classes, alone.row(i)));
      double* row = turned.values.data() + i * classes;
      std::rotate(row, row + 1, row + classes);
    }
    CHECK(left_out > n / 10);
    const ProbabilityTable same = folds.out_of_fold(turned, .1, fold);
    for (std::int64_t i = 0; i < n; ++i) {
      CHECK(same.known(i) == without.known(i));
      if (same.known(i)) CHECK(std::equal(same.row(i), same.row(i) + classes, without.row(i)));
    }
    turned = targets;
  }
  ProbabilityTable narrow{n, classes - 1, {}};
  CHECK_THROWS_AS(folds.judge_fold(0, targets, .1, narrow), Error);
  CHECK_THROWS_AS(folds.judge_fold(5, targets, .1, turned), Error);
  CHECK_THROWS_AS(DiscriminantFolds(x, group, weight, 1, 1), Error);
}

TEST_CASE("discriminants by hand in one dimension", "[label_views]") {
  // Two folds by group; each class at -1, 1 +- 1, so that the other fold's model is the same:
  // means -1 and 1, variance 1, equal priors: P(second | x) = 1 / (1 + exp(-2 x)).
  std::vector<float> values;
  std::vector<std::int64_t> group;
  ProbabilityTable targets{0, 2, {}};
  for (std::int64_t g = 0; g < 64; ++g) {
    for (const float value : {-2.f, 0.f, 0.f, 2.f}) {
      const bool second = values.size() % 4 >= 2;
      values.push_back(value);
      group.push_back(g);
      targets.values.insert(targets.values.end(), {second ? 0. : 1., second ? 1. : 0.});
      ++targets.rows;
    }
  }
  const Tensor x = from_values(values, {targets.rows, 1});
  const std::vector<float> weight(values.size(), 1);
  const auto p = DiscriminantFolds(x, group, weight, 2, 3).out_of_fold(targets, .5);
  for (std::int64_t i = 0; i < p.rows; ++i) {
    CHECK(p.row(i)[1] == Approx(1 / (1 + std::exp(-2 * values[i]))).epsilon(1e-6));
  }
  // Student's t of 3 degrees: densities (1 + (x - m)^2 / 3)^-2. Folds as given: the second one,
  // whose records teach nothing, is judged by the first.
  std::vector<std::int64_t> fold(values.size(), 0);
  for (std::size_t i = 128; i < values.size(); ++i) {
    fold[i] = 1;
    targets.values[2 * i] = targets.values[2 * i + 1] = kNotApplicable;
  }
  ProbabilityTable t{p.rows, 2, std::vector<double>(values.size() * 2, -1)};
  DiscriminantFolds(x, fold, weight, 3).judge_fold(1, targets, .5, t);
  for (std::size_t i = 128; i < values.size(); ++i) {
    const double a = std::pow(1 + (values[i] + 1) * (values[i] + 1) / 3, -2),
                 b = std::pow(1 + (values[i] - 1) * (values[i] - 1) / 3, -2);
    CHECK(t.row(static_cast<std::int64_t>(i))[1] == Approx(b / (a + b)).epsilon(1e-6));
  }
  CHECK(t.row(0)[0] == -1);
  fold.pop_back();
  CHECK_THROWS_AS(DiscriminantFolds(x, fold, weight, 3), Error);
}

TEST_CASE("labels of records that have copies have a noise of their own", "[label_views]") {
  // A model that is right, and 70% sure, of 300 records without copies and 150 pairs of copies. One
  // label in 30 of the former is wrong and two in five of the latter, never both of a pair.
  constexpr std::int64_t kAlone = 300, kPairs = 150;
  LabelTask task;
  task.classes = 2;
  ProbabilityTable p{kAlone + 2 * kPairs, 2, {}};
  const auto add = [&](std::int64_t truth, bool wrong, std::int64_t group) {
    task.label.push_back(wrong ? 1 - truth : truth);
    task.group.push_back(group);
    p.values.push_back(truth == 0 ? .7 : .3);
    p.values.push_back(truth == 0 ? .3 : .7);
  };
  for (std::int64_t i = 0; i < kAlone; ++i) add(i / 30 % 2, i % 30 == 0, i);
  for (std::int64_t i = 0; i < kPairs; ++i) {
    for (int copy = 0; copy < 2; ++copy) add(i % 2, copy == 0 && i % 5 != 0, kAlone + 2 * i);
  }
  task.judged = task.size();
  task.truth.assign(task.label.size(), -1);
  task.time.assign(task.label.size(), kNotApplicable);
  task.sound.assign(task.label.size(), 1);
  const LabelWeighing weighing(task);
  const Weighed w = weighing.weigh(p, 1);
  // A wrong label of either kind, with which the model disagrees alike.
  const double alone = w.posterior.row(0)[task.label[0]];
  const double pair = w.posterior.row(kAlone + 2)[task.label[kAlone + 2]];
  CHECK(alone > .5);  // such labels are nearly always right
  CHECK(pair < .35);  // one of the two is wrong, and the model says which
  // Fewer than 100 records with copies are judged like all others.
  LabelTask few = task;
  for (std::int64_t i = 45; i < kPairs; ++i) few.group[kAlone + 2 * i + 1] += 1;
  LabelTask none = few;
  for (std::int64_t i = 0; i < 45; ++i) none.group[kAlone + 2 * i + 1] += 1;
  CHECK(LabelWeighing(few).weigh(p, 1).likelihood == LabelWeighing(none).weigh(p, 1).likelihood);
}

TEST_CASE("the power of answers is sought between those that are given", "[label_views]") {
  LabelTask task;
  task.classes = 2;
  ProbabilityTable p{400, 2, {}};
  // Says .9 of what is right four times in five: to the power .63 it says .8.
  for (std::int64_t i = 0; i < 400; ++i) {
    const std::int64_t truth = i % 2;
    const bool right = i % 5 != 0;
    task.label.push_back(truth);
    task.group.push_back(i);
    p.values.push_back((truth == 0) == right ? .9 : .1);
    p.values.push_back((truth == 0) == right ? .1 : .9);
  }
  task.judged = 400;
  task.truth.assign(400, -1);
  task.time.assign(400, kNotApplicable);
  task.sound.assign(400, 1);
  const LabelWeighing weighing(task);
  const Weighed found = weighing.search(p, std::vector<double>{.7});
  double most = -1e9, at = 0;
  for (const double exponent : {.7 / 1.1892071, .7, .7 * 1.1892071}) {
    const double likelihood = weighing.weigh(p, exponent).likelihood;
    if (likelihood > most) at = exponent;
    most = std::max(most, likelihood);
  }
  CHECK(found.exponent == Approx(at).epsilon(1e-6));
  CHECK(found.exponent != Approx(.7).epsilon(1e-6));
  CHECK(found.likelihood == Approx(most));
}
