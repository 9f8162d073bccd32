#include "distill/control/error_bound.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tensor/base/error.h"

using namespace athanor;
using namespace athanor::distill;

TEST_CASE("the bound's limits in t, beta and gamma", "[error_bound]") {
  ErrorBoundOptions options;
  options.alpha = 0.5;
  options.beta = 2;
  options.gamma = 0.1;
  options.floor = 0;
  const double d0 = 0.04;
  ErrorBound bound(options, d0);
  // Closed forms by hand; double rounding only, hence 1e-15.
  CHECK(bound.at(0).value == 0);
  CHECK(bound.at(0.5).value == Approx(0.02 * (1 - std::exp(-1.0))).epsilon(1e-14));
  CHECK(bound.at(1e6).value == Approx(0.02).epsilon(1e-14));
  bound.observe(0.010, 0.014);
  CHECK(bound.at(1e6).raw == Approx(0.02 - 0.1 * 0.004).epsilon(1e-14));

  options.beta = 0;  // never opens
  CHECK(ErrorBound(options, d0).at(1e9).value == 0);
  options.beta = 1e9;  // open at once
  CHECK(ErrorBound(options, d0).at(1e-3).value == Approx(0.02).epsilon(1e-14));
  options.gamma = 0;  // the errors do not matter
  ErrorBound without(options, d0);
  without.observe(0, 1);
  CHECK(without.at(1).raw == Approx(0.02).epsilon(1e-14));
}

TEST_CASE("the floor holds a negative bound, the exact form does not", "[error_bound]") {
  ErrorBoundOptions options;
  ErrorBound clamped(options, 0.1);
  options.seed_exact = true;
  ErrorBound exact(options, 0.1);
  for (ErrorBound* bound : {&clamped, &exact}) bound->observe(0.01, 0.06);
  CHECK(clamped.at(0).raw == Approx(-0.005));
  CHECK(clamped.at(0).value == Approx(1e-4));
  CHECK(exact.at(0).value == Approx(-0.005));
  // alpha absolute: 0.06, not 0.06 * 0.1
  CHECK(exact.at(1e6).value == Approx(0.06 - 0.005));
  CHECK(clamped.at(1e6).value == Approx(0.006 - 0.005));
}

TEST_CASE("errors are averaged, broken ones are left out", "[error_bound]") {
  ErrorBoundOptions options;
  options.mse_decay = 0.5;
  ErrorBound bound(options, 1);
  bound.observe(1, 0);
  bound.observe(4, 0);  // weights 0.5 and 1 of 1.5: mean 3
  CHECK(bound.at(0).raw == Approx(0.3));
  bound.observe(std::nan(""), 0);
  bound.observe(0, std::numeric_limits<double>::infinity());
  CHECK(bound.at(0).raw == Approx(0.3));
}

TEST_CASE("senseless options are usage errors", "[error_bound]") {
  CHECK_THROWS_AS(ErrorBound({}, 0), Error);
  ErrorBoundOptions bound;
  bound.beta = -1;
  CHECK_THROWS_AS(ErrorBound(bound, 1), Error);
  DualAscentOptions dual;
  dual.lambda_max = 0;
  CHECK_THROWS_AS(DualAscent(dual), Error);
}

// Minimise (x - 3)^2 subject to x^2 <= 1: x = 1, and 2 (x - 3) + lambda 2 x = 0 gives lambda = 2.
TEST_CASE("dual ascent finds the multiplier of a toy problem", "[dual_ascent]") {
  DualAscentOptions options;
  options.rate = 0.05;
  options.dead_band = 0.01;
  options.d_decay = 0;
  DualAscent dual(options);
  double x = 0;
  for (int step = 0; step < 2000; ++step) {
    x -= 0.05 * (2 * (x - 3) + dual.lambda() * 2 * x);
    dual.update(x * x, 1.0);
  }
  // The dead band leaves D within 1% of the bound, so x within 0.5% of 1 and, by dlambda/dx = -3,
  // lambda within 0.015 of 2.
  CHECK(x == Approx(1).margin(0.006));
  CHECK(dual.lambda() == Approx(2).margin(0.02));
  CHECK_FALSE(dual.report().vacuous);
}

TEST_CASE("lambda rests in the dead band and while frozen, and does not wind up", "[dual_ascent]") {
  DualAscentOptions options;
  options.lambda_start = 5;
  options.lambda_max = 6;
  options.d_decay = 0;
  options.freeze_steps = 3;
  options.rate = 0.5;
  DualAscent dual(options);
  for (double d : {1.0, 1.04, 0.96, 1.0499, 0.9501}) CHECK(dual.update(d, 1) == 5);
  CHECK(dual.update(1.5, 1) == Approx(5.25));
  dual.freeze();
  for (int i = 0; i < 3; ++i) CHECK(dual.update(100, 1) == Approx(5.25));
  for (int i = 0; i < 1000; ++i) dual.update(100, 1);
  CHECK(dual.lambda() == 6);
  CHECK(dual.update(0.5, 1) == Approx(5.75));  // the first step back leaves the bound
  CHECK(dual.update(std::nan(""), 1) == Approx(5.75));
}

TEST_CASE("the report counts violations and calls a loose bound vacuous", "[dual_ascent]") {
  DualAscentOptions options;
  options.d_decay = 0;
  DualAscent loose(options);
  for (int i = 0; i < 100; ++i) loose.update(0.1, 1);
  CHECK(loose.report().vacuous);
  CHECK(loose.report().violations == 0);
  CHECK(loose.report().share_at_min == 1);

  DualAscent tight(options);
  for (int i = 0; i < 100; ++i) tight.update(i < 25 ? 3 : 1, 1);
  const DualReport report = tight.report();
  CHECK_FALSE(report.vacuous);
  CHECK(report.steps == 100);
  CHECK(report.violations == 25);
  CHECK(report.violation_share == 0.25);
  CHECK(report.worst_excess == Approx(2));
  // 0, 0.5, ..., 12 and then 75 times 12.5
  CHECK(report.mean_lambda == Approx((0.5 * 24 * 25 / 2 + 75 * 12.5) / 100));

  DualAscent impossible(options);  // a bound below zero cannot be reached
  for (int i = 0; i < 400; ++i) impossible.update(0.1, -1);
  CHECK(impossible.report().violation_share == 1);
  CHECK(impossible.report().share_at_max == Approx(0.5));
}
