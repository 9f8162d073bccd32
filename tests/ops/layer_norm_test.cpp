#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;

TEST_CASE("layer_norm and rms_norm: values and gradients") {
  check_op_case({"layer_norm", {{{3, 2, 5}}, {{5}}, {{5}}}, [](const Vars& x) {
                   return layer_norm(x[0], x[1], x[2]);
                 }});
  check_op_case({"layer_norm/no weights", {{{4, 6}}}, [](const Vars& x) {
                   return layer_norm(x[0], {}, {}, 0.1);
                 }});
  check_op_case({"layer_norm/shift only", {{{4, 6}}, {{6}}}, [](const Vars& x) {
                   return layer_norm(x[0], {}, x[1]);
                 }});
  check_op_case({"layer_norm/scale only", {{{6}}, {{6}}}, [](const Vars& x) {
                   return layer_norm(x[0], x[1]);
                 }});
  check_op_case(
      {"rms_norm", {{{3, 5}}, {{5}}}, [](const Vars& x) { return rms_norm(x[0], x[1]); }});
  check_op_case(
      {"rms_norm/no weight", {{{3, 5}}}, [](const Vars& x) { return rms_norm(x[0], {}, 0.01); }});
}

TEST_CASE("add_layer_norm and add_rms_norm: both results, and either alone") {
  const std::vector<CaseInput> inputs{{{3, 2, 5}}, {{3, 2, 5}}, {{5}}, {{5}}};
  check_op_case({"add_layer_norm", inputs, [](const Vars& x) {
                   const AddNormVariables r = add_layer_norm(x[0], x[1], x[2], x[3]);
                   return cat({r.y, 2.0 * r.sum}, 0);
                 }});
  check_op_case({"add_layer_norm/y", inputs,
                 [](const Vars& x) { return add_layer_norm(x[0], x[1], x[2], x[3]).y; }});
  check_op_case({"add_layer_norm/sum", {{{4, 3}}, {{4, 3}}}, [](const Vars& x) {
                   return add_layer_norm(x[0], x[1]).sum;
                 }});
  check_op_case({"add_rms_norm", {{{4, 5}}, {{4, 5}}, {{5}}}, [](const Vars& x) {
                   const AddNormVariables r = add_rms_norm(x[0], x[1], x[2]);
                   return cat({r.y, r.sum}, 1);
                 }});
}

// More rows than a part of the sums over rows, rows longer than a piece, remainders.
TEST_CASE("layer_norm at sizes of several parts") {
  OpCase many{"layer_norm/rows", {{{1037, 67}}, {{67}}, {{67}}}, [](const Vars& x) {
                return layer_norm(x[0], x[1], x[2]);
              }};
  many.numeric = false;
  check_op_case(many);
  OpCase wide{"rms_norm/wide", {{{19, 1501}}, {{1501}}}, [](const Vars& x) {
                return rms_norm(x[0], x[1]);
              }};
  wide.numeric = false;
  check_op_case(wide);
}

TEST_CASE("layer_norm at known values") {
  const Tensor x = from_values<double>({1, 3, 5, 7, -1, 1}, {2, 3});
  const Tensor y = layer_norm(x, {}, {}, 0);
  // Row 0 has mean 3 and variance 8 / 3.
  CHECK(y.to_vector<double>()[0] == Approx(-2 / std::sqrt(8.0 / 3)).epsilon(1e-14));
  CHECK(y.to_vector<double>()[1] == 0);
  const Tensor r = rms_norm(x, {}, 0);
  CHECK(r.to_vector<double>()[3] == Approx(7 / std::sqrt(17.0)).epsilon(1e-14));
  const AddNormResult sum = add_layer_norm(x, x, {}, {}, 0);
  CHECK(sum.sum.to_vector<double>()[3] == 14);
  CHECK(sum.y.to_vector<double>()[0] == Approx(y.to_vector<double>()[0]).epsilon(1e-14));
}

// The variance of values far from zero: mean(x^2) - mean(x)^2 would lose it in f32.
TEST_CASE("layer_norm's variance survives a large mean") {
  const Tensor x = add(from_values<float>({-1, 1, -1, 1}, {1, 4}), 4096);
  CHECK(layer_norm(x, {}, {}, 0).to_vector<float>() == std::vector<float>{-1, 1, -1, 1});
}

TEST_CASE("layer_norm names what does not fit") {
  const Tensor x = ones({2, 3});
  CHECK_THROWS_WITH(layer_norm(x, ones({2})),
                    Catch::Contains("[layer_norm] expected gamma [3] f32, got [2] f32 cpu"));
  CHECK_THROWS_WITH(layer_norm(x, {}, ones({3}, DType::f64)), Catch::Contains("expected beta [3]"));
  CHECK_THROWS_WITH(layer_norm(scalar(1)), Catch::Contains("expected x [..., n]"));
  CHECK_THROWS_WITH(rms_norm(x, {}, -1), Catch::Contains("[rms_norm] expected epsilon >= 0"));
  CHECK_THROWS_WITH(add_rms_norm(x, ones({3})), Catch::Contains("expected residual like x"));
  CHECK_THROWS_WITH(rms_norm(arange(3)), Catch::Contains("a floating dtype"));
}

}  // namespace
}  // namespace athanor::test
