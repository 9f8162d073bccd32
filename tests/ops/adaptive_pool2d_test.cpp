#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

void check_sizes(const Shape& x, Size2 size) {
  check_op_case({"adaptive_avg_pool2d", {{x}}, [=](const Vars& v) {
                   return adaptive_avg_pool2d(v[0], size);
                 }});
  check_op_case({"adaptive_max_pool2d", {{x}}, [=](const Vars& v) {
                   return adaptive_max_pool2d(v[0], size);
                 }});
}

TEST_CASE("adaptive pooling and its gradients") {
  check_sizes({2, 3, 6, 4}, {3, 2});  // even windows
  check_sizes({2, 2, 5, 7}, {3, 4});  // windows that overlap
  check_sizes({1, 2, 2, 3}, {5, 3});  // more outputs than rows
  check_sizes({2, 3, 5, 4}, {1, 1});  // the mean of a plane
}

TEST_CASE("adaptive pooling at known and hard values") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = from_values<double>({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3});
  CHECK(adaptive_max_pool2d(x, 2).tensor().to_vector<double>() == std::vector<double>{5, 6, 8, 9});
  const auto mean = adaptive_avg_pool2d(x, 2).tensor().to_vector<double>();
  for (int i = 0; i < 4; ++i) CHECK(mean[std::size_t(i)] == Approx(3 + i + (i > 1)).epsilon(1e-15));
  // Ties go to the first place; NaN wins.
  const Variable ties(full({1, 1, 3, 3}, 2, DType::f64), true);
  sum(adaptive_max_pool2d(ties, 2)).backward();
  CHECK(ties.grad().tensor().to_vector<double>() == std::vector<double>{1, 1, 0, 1, 1, 0, 0, 0, 0});
  const Tensor hard = from_values<double>({1, nan, 3}, {1, 1, 1, 3});
  const auto y = adaptive_max_pool2d(hard, {1, 2}).tensor().to_vector<double>();
  CHECK((std::isnan(y[0]) && std::isnan(y[1])));
}

TEST_CASE("adaptive pooling names what does not fit") {
  CHECK_THROWS_WITH(adaptive_avg_pool2d(ones({3, 4}), 1),
                    Catch::Contains("[adaptive_avg_pool2d] expected a floating x [N, C, H, W]") &&
                        Catch::Contains("got [3, 4] f32"));
  CHECK_THROWS_WITH(adaptive_max_pool2d(ones({1, 3, 0, 4}), 1), Catch::Contains("H, W >= 1"));
  CHECK_THROWS_WITH(adaptive_max_pool2d(ones({1, 3, 4, 4}), {1, 0}),
                    Catch::Contains("expected a size >= 1, got (1, 0)"));
}

}  // namespace
}  // namespace athanor::test
