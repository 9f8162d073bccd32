#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/ops.h"
#include "tensor/base/compute_dtype.h"
#include "tensor/random.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

OpCase norm_case(const char* name, const Shape& x, const BatchNormOptions& options,
                 bool numeric = true) {
  const std::int64_t C = x[1];
  OpCase c{name, {{x}, {{C}, 0.5, 2}, {{C}}}, [options, C](const Vars& v) {
             // Running statistics anew for each call, so that calls do not influence each other.
             const DType wide = compute_dtype(v[0].dtype());
             Tensor running_mean = beside(v[0], full({C}, 0.3, wide));
             Tensor running_var = beside(v[0], full({C}, 0.7, wide));
             return batch_norm(v[0], v[1], v[2], running_mean, running_var, options);
           }};
  c.numeric = numeric;
  return c;
}

TEST_CASE("batch_norm and its gradients") {
  check_op_case(norm_case("batch_norm/image", {3, 2, 3, 2}, {}));
  check_op_case(norm_case("batch_norm/rows", {5, 3}, {}));
  check_op_case(norm_case("batch_norm/relu", {2, 3, 2, 2}, {.relu = true}));
  check_op_case(norm_case("batch_norm/inference", {2, 2, 2, 3}, {.training = false}));
  check_op_case(norm_case("batch_norm/inference relu", {4, 3}, {.training = false, .relu = true}));
}

OpCase pooled_case(const char* name, const Shape& x, const BatchNormOptions& options,
                   const Pool2dOptions& pool = {}, bool numeric = true) {
  const std::int64_t C = x[1];
  OpCase c{name, {{x}, {{C}, 0.5, 2}, {{C}}}, [options, pool, C](const Vars& v) {
             const DType wide = compute_dtype(v[0].dtype());
             Tensor running_mean = beside(v[0], full({C}, 0.3, wide));
             Tensor running_var = beside(v[0], full({C}, 0.7, wide));
             return batch_norm_max_pool2d(v[0], v[1], v[2], running_mean, running_var, options,
                                          pool);
           }};
  c.numeric = numeric;
  return c;
}

TEST_CASE("batch_norm_max_pool2d and its gradients") {
  check_op_case(pooled_case("batch_norm_max_pool2d/plain", {2, 3, 4, 6}, {}));
  check_op_case(pooled_case("batch_norm_max_pool2d/relu", {2, 3, 4, 2}, {.relu = true}));
  check_op_case(pooled_case("batch_norm_max_pool2d/inference", {2, 2, 2, 4},
                            {.training = false, .relu = true}));
  // Composed: odd sizes, windows that overlap.
  check_op_case(pooled_case("batch_norm_max_pool2d/odd", {2, 2, 5, 4}, {.relu = true}));
  check_op_case(pooled_case("batch_norm_max_pool2d/overlap", {2, 2, 6, 4}, {},
                            {.kernel = 3, .stride = 2, .padding = 1}));
  check_op_case(pooled_case("batch_norm_max_pool2d/large", {8, 19, 14, 22}, {}, {}, false));
  check_op_case(
      pooled_case("batch_norm_max_pool2d/large relu", {4, 64, 26, 26}, {.relu = true}, {}, false));
}

// The two operations one after the other: values, gradients and running statistics.
TEST_CASE("batch_norm_max_pool2d equals batch_norm and max_pool2d") {
  Generator g(11);
  for (const bool relu : {false, true}) {
    for (DType dtype : {DType::f32, DType::f64}) {
      const Variable x(cast(random_normal({3, 5, 8, 6}, g), dtype), true);
      const Variable gamma(cast(random_normal({5}, g), dtype), true);  // of either sign
      const Variable beta(cast(random_normal({5}, g), dtype), true);
      const Variable dy(cast(random_normal({3, 5, 4, 3}, g), dtype));
      Tensor mean = zeros({5}, dtype), var = ones({5}, dtype);
      Tensor mean2 = clone(mean), var2 = clone(var);
      const BatchNormOptions options{.relu = relu};
      REQUIRE(batch_norm_pools(x.tensor(), {}));
      const Variable one = batch_norm_max_pool2d(x, gamma, beta, mean, var, options);
      const Variable two = max_pool2d(batch_norm(x, gamma, beta, mean2, var2, options));
      const double grain = dtype == DType::f32 ? 2e-6 : 1e-14;
      const auto near = [&](const Tensor& a, const Tensor& b) {
        CHECK(amax(abs(sub(a, b))).item() <= grain * (1 + amax(abs(b)).item()));
      };
      near(one.tensor(), two.tensor());
      CHECK(all(equal(mean, mean2)).item() == 1);
      CHECK(all(equal(var, var2)).item() == 1);
      const auto got = grad({sum(mul(one, dy))}, {x, gamma, beta});
      const auto expected = grad({sum(mul(two, dy))}, {x, gamma, beta});
      for (std::size_t i = 0; i < 3; ++i) near(got[i].tensor(), expected[i].tensor());
    }
  }
}

TEST_CASE("batch_norm_max_pool2d: NaN wins, as in max_pool2d") {
  Tensor x = arange(32, DType::f32);
  x.data<float>()[21] = std::numeric_limits<float>::quiet_NaN();
  x = reshape(x, {1, 2, 4, 4});
  Tensor mean = zeros({2}), var = ones({2});
  const Tensor y = batch_norm_max_pool2d(x, ones({2}), zeros({2}), mean, var, {.training = false});
  const std::vector<float> values = contiguous(y).to_vector<float>();
  CHECK(values[0] == Approx(5 / std::sqrt(1 + 1e-5)));
  CHECK(std::isnan(values[4]));
  CHECK(values[5] == Approx(23 / std::sqrt(1 + 1e-5)));
}

TEST_CASE("batch_norm at sizes of several chunks") {
  check_op_case(norm_case("batch_norm/large", {8, 32, 14, 14}, {}, false));
  check_op_case(norm_case("batch_norm/odd channels", {7, 19, 11, 13}, {}, false));
  check_op_case(norm_case("batch_norm/large relu", {8, 64, 9, 9}, {.relu = true}, false));
  check_op_case(norm_case("batch_norm/more channels than a chunk", {16, 5000}, {}, false));
}

TEST_CASE("batch_norm keeps running statistics") {
  const Tensor x = from_values<double>({1, 10, 2, 20, 6, 60}, {3, 2});
  Tensor mean = zeros({2}, DType::f64), var = ones({2}, DType::f64);
  const Tensor gamma = ones({2}, DType::f64), beta = zeros({2}, DType::f64);
  const Tensor y = batch_norm(x, gamma, beta, mean, var, {.momentum = 0.25});
  // Means 3 and 30; sums of squares 14 and 1400, over M - 1 = 2 values: 7 and 700.
  CHECK(mean.to_vector<double>() == std::vector<double>{0.75, 7.5});
  CHECK(var.to_vector<double>()[0] == Approx(0.75 + 0.25 * 7).epsilon(1e-14));
  CHECK(var.to_vector<double>()[1] == Approx(0.75 + 0.25 * 700).epsilon(1e-14));
  CHECK(y.to_vector<double>()[0] == Approx(-2 / std::sqrt(14.0 / 3 + 1e-5)).epsilon(1e-14));
  CHECK(mean.version() == 1);
  // Inference uses them and leaves them alone.
  const Tensor z = batch_norm(x, gamma, beta, mean, var, {.training = false});
  CHECK(z.to_vector<double>()[0] == Approx(0.25 / std::sqrt(2.5 + 1e-5)).epsilon(1e-14));
  CHECK(mean.version() == 1);
}

// The variance of values far from zero: a sum of squares in f32 would lose it altogether.
TEST_CASE("batch_norm's variance survives a large mean") {
  Generator generator(1);
  const Tensor x = add(random_uniform({64, 3, 8, 8}, generator, -1, 1), 4096.0);
  Tensor mean = zeros({3}), var = zeros({3});
  batch_norm(x, ones({3}), zeros({3}), mean, var, {.momentum = 1});
  // The variance of U(-1, 1) is 1/3; x is rounded to 2^-12 and the sample has 4096 values.
  for (float v : var.to_vector<float>()) CHECK(v == Approx(1.0 / 3).epsilon(0.05));
}

TEST_CASE("batch_norm keeps channels-last memory and takes empty batches in inference") {
  Tensor mean = zeros({3}), var = ones({3});
  const Tensor gamma = ones({3}), beta = zeros({3});
  const Tensor y =
      batch_norm(empty_channels_last({0, 3, 2, 2}), gamma, beta, mean, var, {.training = false});
  CHECK(y.shape() == Shape{0, 3, 2, 2});
  CHECK(batch_norm(channels_last(ones({2, 3, 4, 5})), gamma, beta, mean, var).is_channels_last());
}

TEST_CASE("batch_norm names what does not fit") {
  Tensor mean = zeros({3}), var = ones({3});
  const Tensor gamma = ones({3}), beta = zeros({3});
  CHECK_THROWS_WITH(batch_norm(ones({2, 3, 4}), gamma, beta, mean, var),
                    Catch::Contains("[batch_norm] expected x [N, C] or [N, C, H, W]"));
  CHECK_THROWS_WITH(batch_norm(ones({2, 3}), ones({4}), beta, mean, var),
                    Catch::Contains("expected gamma [3] f32, got [4] f32 cpu"));
  CHECK_THROWS_WITH(batch_norm(ones({2, 3}, DType::f64), gamma, beta, mean, var),
                    Catch::Contains("expected gamma [3] f64"));
  CHECK_THROWS_WITH(batch_norm(ones({1, 3}), gamma, beta, mean, var),
                    Catch::Contains("at least 2 values a channel in training"));
  Tensor undefined;
  CHECK_THROWS_WITH(batch_norm(ones({2, 3}), gamma, beta, undefined, var),
                    Catch::Contains("running_mean"));
}

}  // namespace
}  // namespace athanor::test
