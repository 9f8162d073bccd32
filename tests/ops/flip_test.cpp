#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("flip and roll: values and gradients") {
  for (const Axes& axes : {Axes{}, Axes{0}, Axes{-1}, Axes{0, 2}}) {
    check_op_case({"flip", {{{2, 3, 4}}}, [=](const Vars& x) { return flip(x[0], axes); }});
  }
  for (int axis : {0, 1, -1}) {
    for (std::int64_t shift : {0, 1, -1, 7}) {
      check_op_case(
          {"roll", {{{2, 3, 4}}}, [=](const Vars& x) { return roll(x[0], shift, axis); }});
    }
  }
  OpCase edges{"flip/edges", {{{2, 3}}}, [](const Vars& x) { return flip(x[0]); }};
  edges.edges = {{{0, 3}}, {{2, 0}}, {{}}};
  check_op_case(edges);
  OpCase rolled{"roll/edges", {{{2, 3}}}, [](const Vars& x) { return roll(x[0], 2, 0); }};
  rolled.edges = {{{0, 3}}, {{2, 0}}};
  check_op_case(rolled);
  OpCase large{"flip/large", {{{300, 257}}}, [](const Vars& x) { return flip(x[0], {1}); }};
  large.numeric = false;
  check_op_case(large);
}

TEST_CASE("flip and roll at known values and errors") {
  const Tensor x = reshape(arange(6), {2, 3});
  using Values = std::vector<std::int64_t>;
  CHECK(flip(x).to_vector<std::int64_t>() == Values{5, 4, 3, 2, 1, 0});
  CHECK(flip(x, {1}).to_vector<std::int64_t>() == Values{2, 1, 0, 5, 4, 3});
  CHECK(flip(transpose(x), {0}).to_vector<std::int64_t>() == Values{2, 5, 1, 4, 0, 3});
  CHECK(roll(x, 1).to_vector<std::int64_t>() == Values{2, 0, 1, 5, 3, 4});
  CHECK(roll(x, -1).to_vector<std::int64_t>() == Values{1, 2, 0, 4, 5, 3});
  CHECK(roll(x, 3, 0).to_vector<std::int64_t>() == Values{3, 4, 5, 0, 1, 2});
  CHECK(flip(isnan(scalar(1))).dtype() == DType::boolean);
  CHECK_THROWS_WITH(flip(x, {2}), Catch::Contains("[flip] expected axis in [-2, 2), got 2"));
  CHECK_THROWS_WITH(flip(x, {0, -2}), Catch::Contains("[flip] expected each axis once"));
  CHECK_THROWS_WITH(roll(x, 1, 2), Catch::Contains("[roll] expected axis in [-2, 2), got 2"));
  CHECK_THROWS_WITH(roll(Tensor(), 1), Catch::Contains("undefined"));
}
