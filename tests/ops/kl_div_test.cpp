#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::CaseInput;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

namespace {

CaseInput constant(const Shape& shape) { return {shape, -2, 2, DType::f64, false}; }

}  // namespace

TEST_CASE("kl_div: values and gradients") {
  for (double T : {0.5, 1.0, 4.0}) {
    check_op_case({"kl_div_with_temperature", {{{4, 5}}, constant({4, 5})}, [=](const Vars& x) {
                     return kl_div_with_temperature(x[0], x[1], T);
                   }});
  }
  check_op_case({"kl_div_with_temperature/weights",
                 {{{4, 5}}, constant({4, 5}), {{4}, 0, 2}},
                 [](const Vars& x) { return kl_div_with_temperature(x[0], x[1], 2, x[2]); }});
  check_op_case({"kl_div_by_row", {{{4, 5}}, constant({4, 5})}, [](const Vars& x) {
                   return kl_div_by_row(x[0], x[1], 2);
                 }});
  OpCase wide{"kl_div_by_row/wide", {{{67, 701}}, constant({67, 701})}, [](const Vars& x) {
                return kl_div_by_row(x[0], x[1], 3);
              }};
  wide.numeric = false;
  check_op_case(wide);
}

TEST_CASE("kl_div at known values") {
  const Tensor x = from_values<double>({0, std::log(3.0)}, {1, 2});
  const Tensor t = zeros({1, 2}, DType::f64);
  // p = (1/4, 3/4), q = (1/2, 1/2): KL = log(4/3) / 2. A few ULP.
  CHECK(kl_div_with_temperature(x, t, 1).item() == Approx(0.5 * std::log(4.0 / 3)).epsilon(1e-13));
  CHECK(kl_div_with_temperature(x, x, 4).item() == 0);
  // The teacher is a constant.
  const Variable teacher(t, true), student(x, true);
  kl_div_with_temperature(student, teacher, 2).backward();
  CHECK(student.grad().defined());
  CHECK_FALSE(teacher.grad().defined());
}

TEST_CASE("kl_div stays finite at extreme logits and temperatures") {
  const Tensor x = from_values<float>({1e4f, -1e4f, 0, 1e4f}, {2, 2});
  const Tensor t = from_values<float>({-1e4f, 1e4f, 0, 1e4f}, {2, 2});
  for (double T : {0.05, 1.0, 100.0}) {
    const Variable student(x, true);
    const Variable loss = kl_div_with_temperature(student, t, T);
    CHECK(std::isfinite(loss.item()));
    loss.backward();
    CHECK(all(isfinite(student.grad().tensor())).item() == 1);
  }
}

TEST_CASE("kl_div refuses bad shapes and temperatures") {
  CHECK_THROWS_WITH(kl_div_by_row(zeros({2, 3}), zeros({2, 4}), 1), Catch::Contains("[kl_div]"));
  CHECK_THROWS_WITH(kl_div_by_row(zeros({2, 3}), zeros({2, 3}), 0), Catch::Contains("> 0, got 0"));
  CHECK_THROWS_WITH(kl_div_by_row(zeros({2, 3}), zeros({2, 3}, DType::f64), 1),
                    Catch::Contains("the student's dtype"));
}

TEST_CASE("kl_div's slope is the gradient that the second kernel computes") {
  Generator g(3);
  for (DType dtype : {DType::f32, DType::f64, DType::bf16}) {
    for (const Shape& shape : {Shape{3, 1}, Shape{5, 7}, Shape{4, 131}}) {
      const Tensor x = cast(random_normal(shape, g, 0, 3), dtype);
      const Tensor t = cast(random_normal(shape, g, 0, 3), dtype);
      for (const bool transposed : {false, true}) {
        const auto lay = [&](const Tensor& v) {
          return transposed ? transpose(contiguous(transpose(v, 0, 1)), 0, 1) : v;
        };
        const KlDivRows plain = kl_div_rows(lay(x), lay(t), 2.5);
        const KlDivRows kept = kl_div_rows(lay(x), lay(t), 2.5, KlDivSlope::keep);
        REQUIRE(kept.slope.defined());
        CHECK_FALSE(plain.slope.defined());
        const Tensor dloss = cast(random_normal({shape[0]}, g), dtype);
        const Tensor expected = kl_div_grad(x, t, plain, dloss, 2.5);
        const Tensor got = kl_div_grad(x, t, kept, dloss, 2.5);
        // Numbers up to 2.5 |dloss|, from differences of numbers up to 1.
        const double grain = dtype == DType::f64 ? 1e-15 : dtype == DType::f32 ? 6e-7 : 2e-2;
        const Tensor gap = cast(abs(got - expected), DType::f64);
        CHECK(amax(gap).item() <= 10 * grain);
        CHECK(all(equal(plain.loss, kept.loss)).item() == 1);
      }
    }
  }
}

TEST_CASE("kl_div's slope of a row that a teacher or student rules out") {
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor x = from_values<double>({0, 0, 0}, {1, 3});
  const Tensor t = from_values<double>({0, -inf, 0}, {1, 3});
  const KlDivRows rows = kl_div_rows(x, t, 2, KlDivSlope::keep);
  CHECK(std::isfinite(rows.loss.item()));
  const std::vector<double> slope = rows.slope.to_vector<double>();
  CHECK(slope[0] == Approx(2 * (1.0 / 3 - 0.5)));
  CHECK(slope[1] == Approx(2 * (1.0 / 3)));
  CHECK(slope[2] == Approx(2 * (1.0 / 3 - 0.5)));
}
