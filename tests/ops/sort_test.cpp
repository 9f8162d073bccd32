#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using athanor::test::values_case;
using Vars = std::vector<Variable>;

TEST_CASE("sort and topk: values and gradients") {
  for (int axis : {0, 1, -1}) {
    check_op_case(
        {"sort", {{{4, 5, 3}}}, [=](const Vars& x) { return sort(x[0], axis, axis == 0).values; }});
    check_op_case(
        {"topk", {{{4, 5, 3}}}, [=](const Vars& x) { return topk(x[0], 2, axis).values; }});
  }
}

TEST_CASE("order operations on tensors: fast = reference") {
  using Tensors = std::vector<Tensor>;
  for (int axis : {0, 1, -1}) {
    check_op_case(values_case("argsort", {{{4, 5, 3}}},
                              [=](const Tensors& x) { return argsort(x[0], axis); }));
    check_op_case(
        values_case("argmax", {{{4, 5, 3}}}, [=](const Tensors& x) { return argmax(x[0], axis); }));
    check_op_case(values_case("argmin", {{{4, 5, 3}}},
                              [=](const Tensors& x) { return argmin(x[0], axis, true); }));
  }
  // Rounded, so that equal values occur.
  OpCase values = values_case("unique", {{{4, 5}}},
                              [](const Tensors& x) { return unique(round(x[0])).values; });
  values.edges = {{{0, 3}}, {{}}};
  check_op_case(values);
  check_op_case(values_case("unique/index", {{{4, 5}}},
                            [](const Tensors& x) { return unique(round(x[0])).index; }));
}

TEST_CASE("unique: values, where they were, how often") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Unique u = unique(from_values<float>({3, 1, nan, 3, 1, 3, nan, -1}, {4, 2}));
  const std::vector<float> values = u.values.to_vector<float>();
  REQUIRE(values.size() == 4);
  CHECK(values[0] == -1);
  CHECK(values[2] == 3);
  CHECK(std::isnan(values[3]));
  CHECK(u.index.shape() == Shape{4, 2});
  CHECK(u.index.to_vector<std::int64_t>() == std::vector<std::int64_t>{2, 1, 3, 2, 1, 2, 3, 0});
  CHECK(u.counts.to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 2, 3, 2});
  CHECK(unique(cast(arange(4), DType::i8)).values.dtype() == DType::i8);
  CHECK(unique(zeros({0})).values.shape() == Shape{0});
  CHECK(unique(zeros({0})).counts.shape() == Shape{0});
  CHECK_THROWS_WITH(unique(isnan(zeros({2}))), Catch::Contains("[unique] expected a number dtype"));
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
