#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("cumsum: values and gradients") {
  for (int axis : {0, 1, -1}) {
    check_op_case(
        {"cumsum", {{{3, 4, 2}}}, [=](const Vars& x) { return cumsum(x[0], axis, axis == 1); }});
  }
}

TEST_CASE("cumsum at known values and errors") {
  CHECK(cumsum(arange(4)).to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 3, 6});
  CHECK(cumsum(arange(4), 0, true).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{6, 6, 5, 3});
  CHECK(cumsum(zeros({2, 0})).shape() == Shape{2, 0});
  // A million ones: exact, because the sum is kept in double.
  CHECK(slice(cumsum(ones({1000000})), 0, -1, 1000000).item() == 1e6);
  CHECK_THROWS_WITH(cumsum(scalar(1)), Catch::Contains("expected axis"));
  CHECK(cumsum(logical_not(zeros({3}))).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{1, 2, 3});
}
