#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

OpCase norm_case(const char* name, const Shape& x, std::int64_t groups) {
  return {name, {{x}, {{x[1]}, 0.5, 2}, {{x[1]}}}, [=](const Vars& v) {
            return group_norm(v[0], groups, v[1], v[2]);
          }};
}

TEST_CASE("group_norm and instance_norm and their gradients") {
  check_op_case(norm_case("group_norm/image", {2, 4, 3, 2}, 2));
  check_op_case(norm_case("group_norm/one group", {2, 3, 4}, 1));
  check_op_case(norm_case("group_norm/rows", {3, 6}, 2));
  check_op_case(
      {"group_norm/plain", {{{2, 4, 3}}}, [](const Vars& v) { return group_norm(v[0], 2); }});
  check_op_case({"instance_norm", {{{2, 3, 4, 2}}, {{3}, 0.5, 2}, {{3}}}, [](const Vars& v) {
                   return instance_norm(v[0], v[1], v[2]);
                 }});
}

TEST_CASE("group_norm at known values, with a large mean, and in the image's memory order") {
  const Tensor x = from_values<double>({1, 3, 10, 30}, {1, 4});
  const auto y = group_norm(x, 2, {}, {}, 0).tensor().to_vector<double>();
  for (int i = 0; i < 4; ++i) CHECK(y[std::size_t(i)] == Approx(i % 2 ? 1 : -1).epsilon(1e-14));
  // A sum of squares would lose the variance altogether.
  const Tensor far = add(from_values<float>({-1, 1, -1, 1}, {1, 4}), 1e5);
  for (float v : group_norm(far, 1).tensor().to_vector<float>()) {
    CHECK(std::abs(v) == Approx(1).epsilon(1e-4));
  }
  CHECK(group_norm(channels_last(ones({2, 4, 3, 3})), 2).tensor().is_channels_last());
}

TEST_CASE("group_norm names what does not fit") {
  const Tensor x = ones({2, 4, 3});
  CHECK_THROWS_WITH(group_norm(x, 3),
                    Catch::Contains("[group_norm] expected groups dividing C = 4, got 3"));
  CHECK_THROWS_WITH(group_norm(ones({4}), 1), Catch::Contains("rank 2 to 7, got [4] f32"));
  CHECK_THROWS_WITH(group_norm(x, 2, ones({3})), Catch::Contains("expected gamma [4] f32"));
  CHECK_THROWS_WITH(instance_norm(x, {}, ones({4}, DType::f64)),
                    Catch::Contains("[instance_norm] expected beta [4] f32, got [4] f64"));
  CHECK_THROWS_WITH(group_norm(ones({0, 4, 3}), 2), Catch::Contains("at least one element"));
}

}  // namespace
}  // namespace athanor::test
