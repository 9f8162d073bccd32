#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("pad and crop: values and gradients") {
  check_op_case({"pad", {{{2, 3}}}, [](const Vars& x) {
                   return pad(x[0], {{1, 0}, {2, 3}}, 0.5);
                 }});
  OpCase edges{"pad/edges", {{{2, 3}}}, [](const Vars& x) {
                 return pad(x[0], std::vector<PadWidth>(std::size_t(x[0].rank()), {1, 2}), -1);
               }};
  edges.edges = {{{0, 3}}, {{2, 0}}, {{}}};
  check_op_case(edges);
  check_op_case({"crop", {{{4, 5}}}, [](const Vars& x) { return crop(x[0], {{1, 1}, {0, 2}}); }});
  check_op_case({"crop/nothing left", {{{4, 5}}}, [](const Vars& x) {
                   return crop(x[0], {{1, 1}, {2, 3}});
                 }});
}

TEST_CASE("pad and crop at known values and errors") {
  const Tensor x = reshape(arange(4), {2, 2});
  const Tensor y = pad(x, {{0, 1}, {1, 0}}, 9);
  CHECK(y.to_vector<std::int64_t>() == std::vector<std::int64_t>{9, 0, 1, 9, 2, 3, 9, 9, 9});
  CHECK(crop(y, {{0, 1}, {1, 0}}).to_vector<std::int64_t>() == x.to_vector<std::int64_t>());
  CHECK_THROWS_WITH(pad(x, {{1, 1}}),
                    Catch::Contains("[pad] expected 2 widths, one an axis, got 1"));
  CHECK_THROWS_WITH(pad(x, {{0, 0}, {-1, 0}}),
                    Catch::Contains("[pad] expected widths >= 0, got -1"));
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_WITH(pad(x, {{huge, 0}, {0, 0}}), Catch::Contains("[pad]"));
  CHECK_THROWS_WITH(pad(x, {{huge / 8, 0}, {huge / 8, 0}}), Catch::Contains("fewer than 2^63"));
  CHECK_THROWS_WITH(crop(x, {{2, 1}, {0, 0}}),
                    Catch::Contains("[crop] expected widths within axis 0"));
}
