#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("softmax, log_softmax and logsumexp: values and gradients") {
  for (int axis : {0, 1, -1}) {
    check_op_case({"softmax", {{{3, 4, 5}}}, [=](const Vars& x) { return softmax(x[0], axis); }});
    check_op_case(
        {"log_softmax", {{{3, 4, 5}}}, [=](const Vars& x) { return log_softmax(x[0], axis); }});
    check_op_case({"logsumexp", {{{3, 4, 5}}}, [=](const Vars& x) {
                     return logsumexp(x[0], {axis}, axis == 0);
                   }});
  }
  check_op_case({"softmax/1d", {{{7}}}, [](const Vars& x) { return softmax(x[0]); }});
  for (const Axes& axes : {Axes{}, Axes{0, 2}, Axes{2, 1}}) {
    for (bool keepdim : {false, true}) {
      check_op_case({"logsumexp/axes", {{{3, 4, 5}}}, [=](const Vars& x) {
                       return logsumexp(x[0], axes, keepdim);
                     }});
    }
  }
  check_op_case({"logsumexp/1d", {{{7}}}, [](const Vars& x) { return logsumexp(x[0]); }});
}

TEST_CASE("softmax of empty and of long rows") {
  check_op_case({"softmax/no rows", {{{0, 4}}}, [](const Vars& x) { return softmax(x[0]); }});
  check_op_case({"softmax/no columns", {{{4, 0}}}, [](const Vars& x) { return softmax(x[0]); }});
  // Longer than a piece and than all accumulators, with a remainder.
  OpCase wide{"softmax/wide", {{{61, 1003}}}, [](const Vars& x) { return softmax(x[0]); }};
  wide.numeric = false;
  check_op_case(wide);
  OpCase log{"log_softmax/wide", {{{61, 1003}}}, [](const Vars& x) { return log_softmax(x[0]); }};
  log.numeric = false;
  check_op_case(log);
}

TEST_CASE("softmax is stable and handles infinities") {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor x = from_values<float>({1e4f, -1e4f, 1e4f, -inf}, {1, 4});
  CHECK(softmax(x).to_vector<float>() == std::vector<float>{0.5f, 0, 0.5f, 0});
  CHECK(logsumexp(x).item() == Approx(1e4 + std::log(2.0)).epsilon(1e-7));  // an ULP of 1e4
  CHECK(logsumexp(full({3}, -inf)).item() == -inf);
  CHECK(logsumexp(from_values<float>({0, inf}, {2})).item() == inf);
  CHECK(std::isnan(softmax(from_values<float>({0, NAN}, {2})).to_vector<float>()[0]));
}

namespace {

// Each row of softmax(x) against the sum of exponentials in double; a row with NaN or +inf is NaN.
void check_rows(const Tensor& x) {
  const std::int64_t rows = x.size(0), n = x.size(1);
  const std::vector<float> in = x.to_vector<float>(), out = softmax(x).to_vector<float>();
  double worst = 0;
  std::int64_t wrong = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const float *from = in.data() + row * n, *to = out.data() + row * n;
    const double top = *std::max_element(from, from + n);
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += std::exp(from[i] - top);
    for (std::int64_t i = 0; i < n; ++i) {
      const double want = std::exp(from[i] - top) / sum;
      if (std::isnan(want) != std::isnan(to[i])) ++wrong;
      if (!std::isnan(want)) worst = std::max(worst, std::abs(to[i] - want) / (want + 1e-30));
    }
  }
  CHECK(wrong == 0);
  CHECK(worst < 1e-5);
}

}  // namespace

TEST_CASE("softmax of rows in turn") {
  const float inf = std::numeric_limits<float>::infinity();
  Generator generator(5);
  // About vectors, lines and the longest row of which the next is looked through meanwhile.
  for (const std::int64_t n : {1, 2, 31, 32, 64, 100, 1040, 2048, 2049, 5000}) {
    for (const std::int64_t odd : {-1, 0, 3, 6}) {
      CAPTURE(n, odd);
      std::vector<float> values = random_normal({7, n}, generator).to_vector<float>();
      // A row with +inf among others of finite values.
      if (odd >= 0) values[static_cast<std::size_t>(odd * n + n / 2)] = inf;
      check_rows(from_values<float>(values, {7, n}));
    }
  }
  // So many that results go past the cache.
  check_rows(random_normal({4099, 1024}, generator));
  check_rows(random_normal({8200, 520}, generator));
}

TEST_CASE("softmax refuses what it cannot do, naming the op") {
  CHECK_THROWS_WITH(softmax(zeros({4, 8}), 3),
                    Catch::Contains("[softmax] expected axis in [-2, 2)"));
  CHECK_THROWS_WITH(softmax(arange(3)), Catch::Contains("[softmax] expected a floating dtype"));
  CHECK_THROWS_WITH(logsumexp(zeros({4, 0}), {1}), Catch::Contains("at least one element"));
  CHECK_THROWS_WITH(softmax_grad(zeros({4}), zeros({5})), Catch::Contains("expected dy like y"));
}
