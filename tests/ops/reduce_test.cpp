#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tensor/backend/kernels.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using athanor::test::values_case;
using Vars = std::vector<Variable>;

TEST_CASE("reductions: values and gradients over every set of axes") {
  const std::vector<Axes> sets{{}, {0}, {1}, {2}, {-1}, {0, 1}, {0, 2}, {1, 2}, {2, 0, 1}};
  for (const Axes& axes : sets) {
    for (bool keepdim : {false, true}) {
      const std::vector<athanor::test::CaseInput> inputs{{{2, 3, 4}}};
      check_op_case({"sum", inputs, [=](const Vars& x) { return sum(x[0], axes, keepdim); }});
      check_op_case({"mean", inputs, [=](const Vars& x) { return mean(x[0], axes, keepdim); }});
      check_op_case({"amax", inputs, [=](const Vars& x) { return amax(x[0], axes, keepdim); }});
      check_op_case({"amin", inputs, [=](const Vars& x) { return amin(x[0], axes, keepdim); }});
    }
  }
}

TEST_CASE("sum_to, any and all: values and gradients") {
  check_op_case({"sum_to", {{{2, 3, 4}}}, [](const Vars& x) { return sum_to(x[0], {3, 1}); }});
  check_op_case({"sum_to/0-dim", {{{2, 3}}}, [](const Vars& x) { return sum_to(x[0], {}); }});
  for (const Axes& axes : {Axes{}, Axes{0}, Axes{1, 2}}) {
    const auto some = [=](const std::vector<Tensor>& x) { return any(floor(abs(x[0])), axes); };
    const auto every = [=](const std::vector<Tensor>& x) { return all(floor(abs(x[0])), axes); };
    check_op_case(values_case("any", {{{2, 3, 4}}}, some));
    check_op_case(values_case("all", {{{2, 3, 4}}}, every));
  }
}

TEST_CASE("reductions of sizes beyond one task, one piece and one block of columns") {
  struct Large {
    Shape shape;
    Axes axes;
  };
  for (const Large& large :
       {Large{{100003}, {}}, Large{{3, 40001}, {1}}, Large{{40001, 3}, {0}}, Large{{70, 1030}, {0}},
        Large{{33, 70, 65}, {1}}, Large{{33, 70, 65}, {0, 2}}, Large{{5, 7, 9, 600}, {1, 3}},
        Large{{5, 7, 9, 600}, {0, 2}}}) {
    OpCase c{"sum/large", {{large.shape}}, [=](const Vars& x) { return sum(x[0], large.axes); }};
    c.numeric = false;
    // A sum of values of both signs loses digits against its largest element.
    c.tolerance_f32 = 1e-4;
    check_op_case(c);
    OpCase m{"amax/large", {{large.shape}}, [=](const Vars& x) { return amax(x[0], large.axes); }};
    m.numeric = false;
    check_op_case(m);
  }
}

TEST_CASE("any and all agree with the reference kernels") {
  for (const Shape& shape : {Shape{7}, Shape{4, 5}, Shape{3, 40, 700}}) {
    Tensor x = zeros(shape);
    for (int step = 0; step < 2; ++step) {
      for (const Tensor& t : {x, logical_not(x), transpose(unsqueeze(x, 0), 0, -1)}) {
        const Tensor some = any(t, {0}), every = all(t);
        UseReferenceKernels reference;
        CHECK(all(equal(some, any(t, {0}))).item() == 1);
        CHECK(every.item() == all(t).item());
      }
      x.data<float>()[x.numel() - 1] = 2;
    }
  }
}

TEST_CASE("reductions of nothing, NaN and infinity") {
  CHECK(sum(zeros({0, 3})).item() == 0);
  CHECK(sum(zeros({0, 3}), {0}).to_vector<float>() == std::vector<float>{0, 0, 0});
  CHECK(sum(zeros({3, 0}), {0}).shape() == Shape{0});
  CHECK(all(zeros({0})).item() == 1);
  CHECK(any(zeros({0})).item() == 0);
  CHECK(sum(scalar(3)).item() == 3);
  // NaN wins wherever it stands.
  for (std::int64_t at : {0, 5, 99, 199}) {
    Tensor x = arange(200, DType::f32);
    x.data<float>()[at] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(amax(x).item()));
    CHECK(std::isnan(amin(x).item()));
    CHECK(std::isnan(amax(reshape(x, {100, 2}), {0}).to_vector<float>()[at % 2]));
  }
}

TEST_CASE("sums of integers and bool are i64") {
  CHECK(sum(full({300}, 100, DType::i8)).dtype() == DType::i64);
  CHECK(sum(full({300}, 100, DType::i8)).item() == 30000);
  CHECK(sum(logical_not(zeros({2, 3})), {1}).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{3, 3});
}

TEST_CASE("sums of a million ones are exact") {
  CHECK(sum(ones({1000000})).item() == 1e6);
  CHECK(sum(ones({1000000, 1}), {0}).item() == 1e6);
  CHECK(sum(expand(ones({1, 3}), {400000, 3}), {0}).to_vector<float>() ==
        std::vector<float>{4e5f, 4e5f, 4e5f});
}

TEST_CASE("reductions refuse bad axes, dtypes and empty extremes") {
  CHECK_THROWS_WITH(sum(zeros({2, 3}), {2}), Catch::Contains("[sum] expected axis in [-2, 2)"));
  CHECK_THROWS_WITH(sum(zeros({2, 3}), {0, -2}), Catch::Contains("each axis once"));
  CHECK_THROWS_WITH(amax(isnan(zeros({2}))), Catch::Contains("a number dtype"));
  CHECK_THROWS_WITH(amax(zeros({0})), Catch::Contains("at least one element"));
  CHECK_THROWS_WITH(mean(zeros({0})), Catch::Contains("at least one element"));
}
