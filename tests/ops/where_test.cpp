#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::beside;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("where and masked_fill: values and gradients") {
  const Tensor mask = from_values<bool>(std::span<const bool>({true, false, true, true}), {4});
  check_op_case({"where", {{{3, 4}}, {{3, 4}}}, [=](const Vars& x) {
                   return where(beside(x[0], mask), x[0], x[1]);
                 }});
  check_op_case({"where/broadcast", {{{4}}, {{3, 1}}}, [=](const Vars& x) {
                   return where(beside(x[0], mask), x[0], x[1]);
                 }});
  check_op_case({"masked_fill", {{{3, 4}}}, [=](const Vars& x) {
                   return masked_fill(x[0], beside(x[0], mask), 0.5);
                 }});
  OpCase large{"where/large", {{{300, 400}}, {{300, 400}}}, [](const Vars& x) {
                 return where(greater(x[0].tensor(), x[1].tensor()), x[0], x[1]);
               }};
  large.numeric = false;
  check_op_case(large);
}

TEST_CASE("where keeps NaN of the side that is not chosen away") {
  const Tensor nan = full({2}, std::numeric_limits<double>::quiet_NaN());
  CHECK(sum(where(isnan(nan), ones({2}), nan)).item() == 2);
  CHECK(where(isnan(zeros({0, 2})), scalar(1), scalar(2)).shape() == Shape{0, 2});
  CHECK(where(isnan(scalar(1)), scalar(1), scalar(2)).item() == 2);
}

TEST_CASE("where refuses masks that are not bool or do not broadcast") {
  CHECK_THROWS_WITH(where(ones({2}), ones({2}), ones({2})), Catch::Contains("dtype bool"));
  CHECK_THROWS_WITH(masked_fill(ones({2}), isnan(ones({3})), 0), Catch::Contains("broadcast"));
}
