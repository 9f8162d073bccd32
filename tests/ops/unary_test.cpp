#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using athanor::test::values_case;

namespace {

using Function = Variable (*)(const Variable&);

OpCase case_of(const char* name, Function f, double low = -2, double high = 2) {
  return {name, {{{3, 4}, low, high}}, [f](const std::vector<Variable>& x) { return f(x[0]); }};
}

}  // namespace

TEST_CASE("unary functions: values and gradients") {
  for (const OpCase& c : {
           case_of("neg", neg),
           case_of("abs", abs),
           case_of("exp", exp),
           case_of("log", log, 0.1, 3),
           case_of("log1p", log1p, -0.5, 3),
           case_of("expm1", expm1),
           case_of("sqrt", sqrt, 0.1, 3),
           case_of("rsqrt", rsqrt, 0.3, 3),
           case_of("reciprocal", reciprocal, 0.3, 3),
           case_of("sin", sin),
           case_of("cos", cos),
           case_of("tanh", tanh),
           case_of("sigmoid", sigmoid),
           case_of("erf", erf),
           case_of("relu", relu),
           case_of("gelu", gelu),
           case_of("gelu_tanh", gelu_tanh),
           case_of("silu", silu),
           case_of("softplus", softplus),
           case_of("floor", floor),
           case_of("round", round),
           case_of("sign", sign),
           case_of("square", square),
       }) {
    check_op_case(c);
  }
}

TEST_CASE("unary functions with a parameter") {
  using Vars = std::vector<Variable>;
  check_op_case({"leaky_relu", {{{3, 4}}}, [](const Vars& x) { return leaky_relu(x[0], 0.1); }});
  check_op_case({"elu", {{{3, 4}}}, [](const Vars& x) { return elu(x[0], 1.5); }});
  check_op_case({"clamp", {{{3, 4}}}, [](const Vars& x) { return clamp(x[0], -1, 0.7); }});
  check_op_case({"add/scalar", {{{3, 4}}}, [](const Vars& x) { return add(x[0], 1.5); }});
  check_op_case({"mul/scalar", {{{3, 4}}}, [](const Vars& x) { return mul(x[0], 1.5); }});
  check_op_case({"pow/scalar", {{{3, 4}, 0.2, 2}}, [](const Vars& x) { return pow(x[0], 2.5); }});
}

TEST_CASE("unary functions to bool: fast = reference") {
  using Tensors = std::vector<Tensor>;
  const std::vector<athanor::test::CaseInput> inputs{{{3, 4}}};
  // 1 / 0 and 0 / 0 occur.
  const auto hard = [](const Tensors& x) { return div(round(x[0]), floor(abs(x[0]))); };
  check_op_case(
      values_case("isfinite", inputs, [=](const Tensors& x) { return isfinite(hard(x)); }));
  check_op_case(values_case("isnan", inputs, [=](const Tensors& x) { return isnan(hard(x)); }));
  check_op_case(values_case("logical_not", inputs,
                            [](const Tensors& x) { return logical_not(round(x[0])); }));
}

TEST_CASE("unary functions accept empty, 0-dim and large inputs") {
  using Vars = std::vector<Variable>;
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 0, 2}}) {
    check_op_case({"tanh", {{shape}}, [](const Vars& x) { return tanh(x[0]); }});
  }
  // Large enough for several threads; too large for numeric differences.
  OpCase large{"exp/large", {{{257, 301}}}, [](const Vars& x) { return exp(x[0]); }};
  large.numeric = false;
  check_op_case(large);
}

TEST_CASE("unary functions at exact and hard values") {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor hard = from_values<float>({0.0f, -inf, inf, nan, -100.0f, 100.0f}, {6});
  CHECK(exp(hard).to_vector<float>()[1] == 0.0f);
  CHECK(exp(hard).to_vector<float>()[2] == inf);
  CHECK(std::isnan(exp(hard).to_vector<float>()[3]));
  CHECK(sigmoid(hard).to_vector<float>()[0] == 0.5f);
  CHECK(sigmoid(hard).to_vector<float>()[4] >= 0.0f);
  CHECK(sigmoid(hard).to_vector<float>()[5] == 1.0f);
  CHECK(softplus(hard).to_vector<float>()[5] == 100.0f);
  CHECK(relu(hard).to_vector<float>()[1] == 0.0f);
  CHECK(isfinite(hard).to_vector<bool>() ==
        std::vector<bool>{true, false, false, false, true, true});
  CHECK(isnan(hard).to_vector<bool>()[3]);
  CHECK(round(from_values<float>({0.5f, 1.5f, -2.5f}, {3})).to_vector<float>() ==
        std::vector<float>{0.0f, 2.0f, -2.0f});
}

TEST_CASE("unary functions refuse dtypes and bounds, naming the op") {
  const Tensor integers = from_values<std::int64_t>({1, 2}, {2});
  CHECK_THROWS_WITH(exp(integers), Catch::Contains("[exp] expected a floating dtype") &&
                                       Catch::Contains("[2] i64 cpu"));
  CHECK_THROWS_WITH(clamp(ones({2}), 1, 0), Catch::Contains("[clamp] expected lowest <= highest"));
  CHECK_THROWS_WITH(exp(Tensor()), Catch::Contains("undefined"));
  CHECK_THROWS_WITH(Variable(integers, true), Catch::Contains("requires_grad"));
}
