#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("var, norm and l2_normalize: values and gradients") {
  for (const Axes& axes : {Axes{}, Axes{0}, Axes{0, 2}}) {
    check_op_case({"var", {{{3, 4, 2}}}, [=](const Vars& x) { return var(x[0], axes, true, 1); }});
    check_op_case({"stddev", {{{3, 4, 2}}}, [=](const Vars& x) { return stddev(x[0], axes); }});
    check_op_case({"norm", {{{3, 4, 2}}}, [=](const Vars& x) { return norm(x[0], axes); }});
  }
  for (int axis : {0, 1, -1}) {
    check_op_case(
        {"l2_normalize", {{{3, 4, 2}}}, [=](const Vars& x) { return l2_normalize(x[0], axis); }});
  }
}

TEST_CASE("var, norm and l2_normalize at known values and errors") {
  const Tensor x = from_values<double>({3, 4, 0, 0}, {2, 2});
  CHECK(norm(x, {1}).tensor().to_vector<double>() == std::vector<double>{5, 0});
  const Variable leaf(x, true);
  sum(norm(leaf, {1})).backward();
  const auto gradient = leaf.grad().tensor().to_vector<double>();
  CHECK(gradient[0] == Approx(0.6).epsilon(1e-15));
  CHECK(gradient[1] == Approx(0.8).epsilon(1e-15));
  CHECK((gradient[2] == 0 && gradient[3] == 0));
  CHECK(l2_normalize(x).tensor().to_vector<double>()[1] == Approx(0.8).epsilon(1e-12));
  CHECK(l2_normalize(x).tensor().to_vector<double>()[2] == 0);
  // An offset that would cancel in mean(x^2) - mean(x)^2 even in double.
  CHECK(var(add(x, 1e9)).item() == Approx(3.1875).epsilon(1e-12));
  CHECK(var(x, {}, false, 1).item() == Approx(4.25).epsilon(1e-12));
  CHECK_THROWS_WITH(var(ones({1}), {}, false, 1), Catch::Contains("[var] expected more than 1"));
  CHECK_THROWS_WITH(l2_normalize(x, 0, 0), Catch::Contains("epsilon > 0"));
}
