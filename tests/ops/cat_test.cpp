#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("cat and stack: values and gradients") {
  check_op_case(
      {"cat/axis0", {{{2, 3}}, {{1, 3}}, {{0, 3}}}, [](const Vars& x) { return cat(x, 0); }});
  check_op_case(
      {"cat/axis-1", {{{2, 3, 2}}, {{2, 3, 1}}}, [](const Vars& x) { return cat(x, -1); }});
  for (int axis : {0, 1, 2, -1}) {
    check_op_case({"stack", {{{2, 3}}, {{2, 3}}}, [=](const Vars& x) { return stack(x, axis); }});
  }
  check_op_case({"cat/same twice", {{{2, 3}}}, [](const Vars& x) {
                   return cat(Vars{x[0], x[0]}, 1);
                 }});
}

TEST_CASE("cat and stack at known values") {
  const std::vector<Tensor> parts{reshape(arange(4), {2, 2}), add(reshape(arange(2), {2, 1}), 7)};
  CHECK(cat(parts, 1).to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 7, 2, 3, 8});
  CHECK(stack(std::vector<Tensor>{scalar(1), scalar(2)}).to_vector<float>() ==
        std::vector<float>{1, 2});
}

TEST_CASE("cat and stack refuse parts that do not fit") {
  using Tensors = std::vector<Tensor>;
  CHECK_THROWS_WITH(cat(Tensors{}), Catch::Contains("[cat] expected at least one"));
  CHECK_THROWS_WITH(cat(Tensors{zeros({2, 3}), zeros({2, 2})}), Catch::Contains("but for axis 0"));
  CHECK_THROWS_WITH(cat(Tensors{zeros({2}), arange(2)}), Catch::Contains("of one dtype"));
  CHECK_THROWS_WITH(stack(Tensors{zeros({2}), zeros({3})}), Catch::Contains("equal shapes"));
  CHECK_THROWS_WITH(stack(Vars{}), Catch::Contains("at least one"));
}
