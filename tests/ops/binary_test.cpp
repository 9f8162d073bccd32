#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::CaseInput;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using athanor::test::values_case;
using Vars = std::vector<Variable>;

namespace {

using Function = Variable (*)(const Variable&, const Variable&);

OpCase case_of(const char* name, Function f, const Shape& a, const Shape& b, double low = -2) {
  return {name, {{a, low, 2}, {b, low, 2}}, [f](const Vars& x) { return f(x[0], x[1]); }};
}

}  // namespace

TEST_CASE("binary functions: values and gradients with broadcasting") {
  struct Shapes {
    Shape a, b;
  };
  for (const Shapes& s : {Shapes{{3, 4}, {3, 4}}, Shapes{{3, 4}, {4}}, Shapes{{3, 1}, {1, 4}},
                          Shapes{{}, {3, 4}}, Shapes{{2, 1, 3}, {4, 1}}}) {
    check_op_case(case_of("add", add, s.a, s.b));
    check_op_case(case_of("sub", sub, s.a, s.b));
    check_op_case(case_of("mul", mul, s.a, s.b));
    check_op_case(case_of("div", div, s.a, s.b, 0.5));
    check_op_case(case_of("pow", pow, s.a, s.b, 0.5));
    check_op_case(case_of("maximum", maximum, s.a, s.b));
    check_op_case(case_of("minimum", minimum, s.a, s.b));
  }
}

TEST_CASE("binary functions of empty inputs, of one variable twice and for several threads") {
  check_op_case(case_of("add/empty", add, {0, 4}, {4}));
  check_op_case({"mul/same", {{{3, 4}}}, [](const Vars& x) { return mul(x[0], x[0]); }});
  OpCase large = case_of("mul/large", mul, {257, 301}, {301});
  large.numeric = false;
  check_op_case(large);
}

TEST_CASE("lerp: values and gradients") {
  const auto between = [](const Vars& x) { return lerp(x[0], x[1], x[2]); };
  OpCase c{"lerp", {{{3, 4}}, {{3, 4}}, {{4}, 0, 1}}, between};
  c.edges = {{{0, 4}, {0, 4}, {4}}, {{}, {}, {}}};
  check_op_case(c);
  CHECK(lerp(scalar(2), scalar(4), scalar(0.25)).item() == 2.5);
  CHECK_THROWS_WITH(lerp(arange(2), arange(2), scalar(1)), Catch::Contains("[lerp] expected a fl"));
}

TEST_CASE("comparisons and logic: fast = reference, with broadcasting") {
  const std::vector<CaseInput> inputs{{{3, 40}}, {{40}}};
  const auto check = [](OpCase c) {
    c.edges = {{{0, 40}, {40}}, {{}, {}}};
    check_op_case(c);
  };
  using Tensors = std::vector<Tensor>;
  // Rounded, so that equal values occur.
  const auto pair = [](Tensor (*f)(const Tensor&, const Tensor&)) {
    return [f](const Tensors& x) { return f(round(x[0]), round(x[1])); };
  };
  check(values_case("equal", inputs, pair(equal)));
  check(values_case("not_equal", inputs, pair(not_equal)));
  check(values_case("less", inputs, pair(less)));
  check(values_case("less_equal", inputs, pair(less_equal)));
  check(values_case("greater", inputs, pair(greater)));
  check(values_case("greater_equal", inputs, pair(greater_equal)));
  check(values_case("logical_and", inputs, pair(logical_and)));
  check(values_case("logical_or", inputs, pair(logical_or)));
  check(values_case("logical_xor", inputs, pair(logical_xor)));
}

TEST_CASE("in-place functions: fast = reference") {
  using Tensors = std::vector<Tensor>;
  check_op_case(values_case("add_", {{{3, 4}}, {{4}}}, [](const Tensors& x) {
    Tensor y = clone(x[0]);
    add_(y, x[1]);
    return y;
  }));
  check_op_case(values_case("mul_", {{{3, 4}}, {{3, 1}}}, [](const Tensors& x) {
    Tensor y = clone(x[0]);
    mul_(y, x[1]);
    mul_(y, 1.5);
    return y;
  }));
}

TEST_CASE("comparisons and logic at known values") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor a = from_values<double>({1, 2, 3, nan}, {4}), b = full({}, 2, DType::f64);
  const auto bits = [](const Tensor& t) { return t.to_vector<bool>(); };
  using Bits = std::vector<bool>;
  CHECK(bits(equal(a, b)) == Bits{false, true, false, false});
  CHECK(bits(not_equal(a, b)) == Bits{true, false, true, true});
  CHECK(bits(less(a, b)) == Bits{true, false, false, false});
  CHECK(bits(less_equal(a, b)) == Bits{true, true, false, false});
  CHECK(bits(greater(a, b)) == Bits{false, false, true, false});
  CHECK(bits(greater_equal(a, b)) == Bits{false, true, true, false});
  const Tensor p = arange(2), q = reshape(arange(2), {2, 1});
  CHECK(bits(logical_and(p, q)) == Bits{false, false, false, true});
  CHECK(bits(logical_or(p, q)) == Bits{false, true, true, true});
  CHECK(bits(logical_xor(p, q)) == Bits{false, true, true, false});
  CHECK(std::isnan(maximum(a, b).to_vector<double>()[3]));
  CHECK(std::isnan(minimum(b, a).to_vector<double>()[3]));
}

TEST_CASE("integers wrap around") {
  constexpr std::int64_t kHigh = std::numeric_limits<std::int64_t>::max();
  const Tensor x = from_values<std::int64_t>({kHigh, -kHigh - 1}, {2});
  CHECK(add(x, x).to_vector<std::int64_t>() == std::vector<std::int64_t>{-2, 0});
  CHECK(neg(x).to_vector<std::int64_t>() == std::vector<std::int64_t>{-kHigh, -kHigh - 1});
  CHECK(mul(full({}, 100, DType::i8), full({}, 3, DType::i8)).item() == 44);
  CHECK(sub(zeros({}, DType::u8), ones({}, DType::u8)).item() == 255);
}

TEST_CASE("in-place functions write, bump the version, and make stale gradients an error") {
  Tensor y = ones({2, 2});
  add_(y, full({2}, 3));
  mul_(y, 2.0);
  mul_(y, full({}, 0.5));
  CHECK(y.to_vector<float>() == std::vector<float>{4, 4, 4, 4});
  CHECK(y.version() == 3);
  const Variable x(y, true);
  const Variable z = mul(x, x);
  add_(y, ones({}));
  CHECK_THROWS_WITH(sum(z).backward(), Catch::Contains("saved by mul") && Catch::Contains("add_"));
}

TEST_CASE("binary functions refuse shapes and dtypes, naming the op") {
  CHECK_THROWS_WITH(add(zeros({2, 3}), zeros({4})), Catch::Contains("[add]"));
  CHECK_THROWS_WITH(div(arange(2), arange(2)), Catch::Contains("[div] expected a floating dtype"));
  CHECK_THROWS_WITH(add(isnan(zeros({2})), isnan(zeros({2}))), Catch::Contains("a number dtype"));
  CHECK_THROWS_WITH(mul(Tensor(), zeros({2})), Catch::Contains("undefined"));
  Tensor y = zeros({2});
  CHECK_THROWS_WITH(add_(y, arange(2)), Catch::Contains("[add_] expected x of dtype f32"));
  CHECK_THROWS_WITH(add_(y, zeros({3})), Catch::Contains("[add_]"));
}
