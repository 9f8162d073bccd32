#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::beside;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using athanor::test::values_case;
using Vars = std::vector<Variable>;

namespace {

Tensor indices(std::initializer_list<std::int64_t> values, const Shape& shape) {
  return from_values<std::int64_t>(values, shape);
}

}  // namespace

TEST_CASE("index operations: values and gradients") {
  const Tensor at = indices({2, 0, 2, 1, 2}, {5});
  for (int axis : {0, 1, -1}) {
    check_op_case({"index_select", {{{3, 4, 3}}}, [=](const Vars& x) {
                     return index_select(x[0], axis, beside(x[0], at));
                   }});
  }
  check_op_case({"index_add", {{{4, 5, 2}}}, [=](const Vars& x) {
                   return index_add(x[0], 1, beside(x[0], at), 3);
                 }});
  const Tensor along = indices({0, 2, 1, 1, 2, 2}, {3, 2});
  check_op_case({"take_along_axis", {{{3, 3}}}, [=](const Vars& x) {
                   return take_along_axis(x[0], beside(x[0], along), 1);
                 }});
  const Tensor down = indices({0, 2, 1, 1, 2, 2}, {2, 3});
  check_op_case({"take_along_axis/axis0", {{{3, 3}}}, [=](const Vars& x) {
                   return take_along_axis(x[0], beside(x[0], down), 0);
                 }});
  check_op_case({"scatter_add", {{{3, 2}}}, [=](const Vars& x) {
                   return scatter_add(x[0], beside(x[0], along), 1, 4);
                 }});
  check_op_case({"embedding", {{{6, 3}}}, [=](const Vars& x) {
                   return embedding(x[0], beside(x[0], indices({5, 0, 5, 1, 2, 2}, {2, 3})));
                 }});
}

TEST_CASE("one_hot: fast = reference") {
  const auto check = [](const Shape& shape) {
    check_op_case(values_case("one_hot", {{shape, 0, 5, DType::i64}},
                              [](const auto& x) { return one_hot(x[0], 5); }));
  };
  for (const Shape& shape : {Shape{3, 4}, Shape{}, Shape{0, 2}}) check(shape);
}

TEST_CASE("index operations on inputs for several threads") {
  Generator generator(3);
  const Tensor at = random_permutation(700, generator);
  OpCase select{"index_select/large", {{{700, 150}}}, [=](const Vars& x) {
                  return index_select(x[0], 0, beside(x[0], at));
                }};
  select.numeric = false;
  check_op_case(select);
  const Tensor few = cast(mul(cast(at, DType::f64), 1.0 / 70), DType::i64);
  OpCase add{"index_add/large", {{{700, 1500}}}, [=](const Vars& x) {
               return index_add(x[0], 0, beside(x[0], few), 10);
             }};
  add.numeric = false;
  check_op_case(add);
}

TEST_CASE("index operations at known values") {
  const Tensor x = reshape(arange(6), {2, 3});
  CHECK(index_select(x, 1, indices({2, 2, 0}, {3})).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{2, 2, 0, 5, 5, 3});
  CHECK(index_add(x, 1, indices({1, 1, 0}, {3}), 2).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{2, 1, 5, 7});
  CHECK(take_along_axis(x, indices({2, 0}, {2, 1}), 1).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{2, 3});
  CHECK(one_hot(indices({1, 0}, {2}), 3).to_vector<float>() ==
        std::vector<float>{0, 1, 0, 1, 0, 0});
  CHECK(one_hot(indices({}, {0, 2}), 3).shape() == Shape{0, 2, 3});
  CHECK(index_select(zeros({3, 0}), 0, indices({1}, {1})).shape() == Shape{1, 0});
  CHECK(index_select(zeros({3, 2}), 0, indices({}, {0})).shape() == Shape{0, 2});
  const Tensor mask = isnan(zeros({4}));
  CHECK(index_select(mask, 0, indices({3}, {1})).dtype() == DType::boolean);
}

TEST_CASE("index operations refuse indices out of range and wrong shapes") {
  const Tensor x = zeros({2, 3});
  CHECK_THROWS_WITH(
      index_select(x, 1, indices({0, 3}, {2})),
      Catch::Contains("[index_select] expected indices in [0, 3), got 3 at position 1"));
  CHECK_THROWS_WITH(index_select(x, 1, indices({-1}, {1})), Catch::Contains("got -1"));
  CHECK_THROWS_WITH(index_select(x, 0, zeros({1})), Catch::Contains("dtype i64"));
  CHECK_THROWS_WITH(index_select(x, 0, indices({0}, {1, 1})), Catch::Contains("an index [m]"));
  CHECK_THROWS_WITH(take_along_axis(x, indices({0}, {1}), 1), Catch::Contains("but for axis 1"));
  CHECK_THROWS_WITH(one_hot(indices({3}, {1}), 3), Catch::Contains("[0, 3), got 3"));
  CHECK_THROWS_WITH(embedding(zeros({3}), indices({0}, {1})), Catch::Contains("weight [V, D]"));
}
