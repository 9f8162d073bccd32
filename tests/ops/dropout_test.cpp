#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("dropout: values and gradients under a fixed mask") {
  check_op_case({"dropout", {{{6, 7}}}, [](const Vars& x) {
                   Generator generator(11);
                   return dropout(x[0], 0.4, generator);
                 }});
}

TEST_CASE("dropout keeps the mean and a share of 1 - p, and is the identity outside training") {
  Generator generator(5);
  const Tensor y = dropout(ones({100000}), 0.25, generator).tensor();
  // Five standard deviations of a share of 1e5 draws: 5 sqrt(0.1875 / 1e5) = 0.0068.
  CHECK(mean(y).item() == Approx(1).margin(0.01));
  CHECK(mean(cast(equal(y, scalar(0)), DType::f64)).item() == Approx(0.25).margin(0.0068));
  CHECK(amax(y).item() == Approx(1 / 0.75).epsilon(1e-6));
  CHECK(generator.position() == 100000);
  const Variable x(ones({3}), true);
  CHECK(dropout(x, 0.5, generator, false).state() == x.state());
  CHECK(generator.position() == 100000);
}

TEST_CASE("dropout refuses a bad probability") {
  Generator generator(5);
  CHECK_THROWS_WITH(dropout(ones({2}), 1, generator), Catch::Contains("expected p in [0, 1)"));
  CHECK_THROWS_WITH(dropout(arange(2), 0.5, generator), Catch::Contains("a floating dtype"));
}
