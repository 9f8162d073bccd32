#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tensor/ops/device.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

void check_pools(const char* name, const Shape& x, const Pool2dOptions& options,
                 bool numeric = true) {
  OpCase largest{std::string("max_pool2d/") + name, {{x}}, [options](const Vars& v) {
                   return max_pool2d(v[0], options);
                 }};
  OpCase mean{std::string("avg_pool2d/") + name, {{x}}, [options](const Vars& v) {
                return avg_pool2d(v[0], options);
              }};
  largest.numeric = mean.numeric = numeric;
  check_op_case(largest);
  check_op_case(mean);
}

TEST_CASE("pooling and its gradients") {
  check_pools("tiles", {2, 3, 4, 6}, {.kernel = 2});
  check_pools("overlap", {1, 2, 5, 5}, {.kernel = 3, .stride = 2, .padding = 1});
  check_pools("unused edge", {1, 2, 5, 7}, {.kernel = 2});
  check_pools("gaps", {1, 1, 7, 7}, {.kernel = 2, .stride = 3});
  check_pools("uneven", {1, 2, 6, 5}, {.kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 0}});
  check_pools("one", {2, 2, 3, 3}, {.kernel = 1});
  check_pools("empty", {0, 2, 4, 4}, {.kernel = 2});
  check_pools("large", {9, 33, 28, 28}, {.kernel = 2}, false);
  check_pools("large overlap", {5, 64, 15, 15}, {.kernel = 3, .stride = 2, .padding = 1}, false);
}

TEST_CASE("max_pool2d without an index has the values of the one with it") {
  Generator generator(10);
  Tensor x = random_uniform({3, 21, 9, 12}, generator, -1, 1);
  x.data<float>()[17] = std::nanf("");
  for (const Pool2dOptions& options :
       {Pool2dOptions{}, Pool2dOptions{.kernel = 3, .stride = 2, .padding = 1}}) {
    const std::vector<float> alone = max_pool2d(x, options).to_vector<float>();
    const std::vector<float> beside = max_pool2d_with_index(x, options).y.to_vector<float>();
    REQUIRE(alone.size() == beside.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
      CHECK((alone[i] == beside[i] || (std::isnan(alone[i]) && std::isnan(beside[i]))));
    }
  }
}

TEST_CASE("the gradients of pooling as operations") {
  const Pool2dOptions options{.kernel = 2};
  Generator generator(9);
  const Tensor x = random_uniform({1, 2, 4, 4}, generator);
  const Tensor index = max_pool2d_with_index(x, options).index;
  OpCase back{"max_pool2d_backward", {{{1, 2, 2, 2}}}, [=](const Vars& v) {
                return max_pool2d_backward(v[0], to(index, v[0].device()), {1, 2, 4, 4}, options);
              }};
  OpCase gather{"max_pool2d_gather", {{{1, 2, 4, 4}}}, [=](const Vars& v) {
                  return max_pool2d_gather(v[0], to(index, v[0].device()), options);
                }};
  OpCase mean{"avg_pool2d_backward", {{{1, 2, 2, 2}}}, [=](const Vars& v) {
                return avg_pool2d_backward(v[0], {1, 2, 4, 4}, options);
              }};
  for (OpCase* c : {&back, &gather, &mean}) {
    check_op_case(*c);
  }
}

TEST_CASE("global_avg_pool2d and its gradient") {
  OpCase c{
      "global_avg_pool2d", {{{2, 3, 4, 5}}}, [](const Vars& v) { return global_avg_pool2d(v[0]); }};
  check_op_case(c);
  const Tensor x = from_values<float>({1, 2, 3, 6, 0, 0, 0, 4}, {1, 2, 2, 2});
  const Tensor y = global_avg_pool2d(x);
  CHECK(y.shape() == Shape{1, 2, 1, 1});
  CHECK(y.to_vector<float>() == std::vector<float>{3, 1});
}

TEST_CASE("pooling at exact and hard values") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  // Ties go to the first place, NaN wins, padding never does.
  const Tensor x = from_values<float>(
      {5, 5, -1, -2, 5, 5, -3, -4, nan, 1, -inf, -inf, 2, nan, -inf, -inf}, {1, 1, 4, 4});
  const MaxPool2dResult r = max_pool2d_with_index(x, {.kernel = 2});
  const auto y = r.y.to_vector<float>();
  CHECK(y[0] == 5);
  CHECK(y[1] == -1);
  CHECK(std::isnan(y[2]));
  CHECK(y[3] == -inf);
  CHECK(r.index.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 2, 8, 10});
  const Tensor negative = full({1, 1, 2, 2}, -7);
  CHECK(max_pool2d(negative, {.kernel = 2, .stride = 1, .padding = 1}).to_vector<float>() ==
        std::vector<float>(9, -7.0f));
  // Padding counts as 0 in the mean: corners see one value of four.
  const Tensor mean = avg_pool2d(full({1, 1, 2, 2}, 4), {.kernel = 2, .stride = 1, .padding = 1});
  CHECK(mean.to_vector<float>() == std::vector<float>{1, 2, 1, 2, 4, 2, 1, 2, 1});
}

TEST_CASE("pooling names what does not fit") {
  const Tensor x = ones({1, 2, 4, 4});
  CHECK_THROWS_WITH(max_pool2d(ones({4, 4})),
                    Catch::Contains("[max_pool2d] expected x [N, C, H, W], got shape [4, 4]"));
  CHECK_THROWS_WITH(max_pool2d(x, {.kernel = 5}),
                    Catch::Contains("at least the kernel's size (5, 5), got (4, 4)"));
  CHECK_THROWS_WITH(avg_pool2d(x, {.kernel = 0}), Catch::Contains("expected kernel >= 1"));
  CHECK_THROWS_WITH(avg_pool2d(x, {.kernel = 2, .padding = 2}),
                    Catch::Contains("expected padding in [0, kernel / 2], got (2, 2)"));
  CHECK_THROWS_WITH(max_pool2d(x, {.kernel = 2, .stride = -1}), Catch::Contains("expected stride"));
  CHECK_THROWS_WITH(max_pool2d_backward(ones({1, 2, 2, 2}), ones({1, 2, 2, 2}), x.shape()),
                    Catch::Contains("expected i32 for index"));
  CHECK_THROWS_WITH(avg_pool2d_backward(ones({1, 2, 3, 2}), x.shape()),
                    Catch::Contains("expected dy of shape [1, 2, 2, 2]"));
  CHECK_THROWS_WITH(global_avg_pool2d(ones({1, 2, 0, 3})), Catch::Contains("H, W >= 1"));
}

}  // namespace
}  // namespace athanor::test
