#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("sort and topk: values and gradients") {
  for (int axis : {0, 1, -1}) {
    check_op_case(
        {"sort", {{{4, 5, 3}}}, [=](const Vars& x) { return sort(x[0], axis, axis == 0).values; }});
    check_op_case(
        {"topk", {{{4, 5, 3}}}, [=](const Vars& x) { return topk(x[0], 2, axis).values; }});
  }
}

TEST_CASE("sort is stable, puts NaN last and takes any number dtype") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = from_values<float>({2, nan, 1, 2, -1}, {5});
  CHECK(argsort(x).to_vector<std::int64_t>() == std::vector<std::int64_t>{4, 2, 0, 3, 1});
  CHECK(argsort(x, 0, true).to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 3, 2, 4, 1});
  CHECK(sort(arange(4), 0, true).values.to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{3, 2, 1, 0});
  CHECK(topk(x, 2, 0, false).index.to_vector<std::int64_t>() == std::vector<std::int64_t>{4, 2});
  CHECK(topk(x, 0).values.shape() == Shape{0});
  CHECK(sort(zeros({0, 3}), 0).values.shape() == Shape{0, 3});
}

TEST_CASE("argmax and argmin") {
  const Tensor x = from_values<float>({1, 5, 5, 7, 0, -2}, {2, 3});
  CHECK(argmax(x).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 0});
  CHECK(argmax(x, 0, true).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 0, 0});
  CHECK(argmax(x, 0, true).shape() == Shape{1, 3});
  CHECK(argmin(transpose(x)).to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 1});
  CHECK(argmax(from_values<float>({1, NAN, 3}, {3})).item() == 1);
  CHECK(argmax(zeros({0, 3})).shape() == Shape{0});
}

TEST_CASE("order operations refuse what they cannot do") {
  CHECK_THROWS_WITH(argmax(zeros({2, 0})), Catch::Contains("[argmax] expected at least one"));
  CHECK_THROWS_WITH(topk(zeros({3}), 4), Catch::Contains("expected k in [0, 3], got 4"));
  CHECK_THROWS_WITH(sort(isnan(zeros({3}))), Catch::Contains("a number dtype"));
  CHECK_THROWS_WITH(sort(zeros({3}), 1), Catch::Contains("expected axis"));
}
