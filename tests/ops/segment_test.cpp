#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::beside;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

using athanor::test::values_case;

namespace {

Tensor integers(const std::vector<std::int64_t>& values) {
  return from_values(values, {static_cast<std::int64_t>(values.size())});
}

// The gradient of a softmax is a difference of rounded terms several times its size.
OpCase with_difference(OpCase c) {
  c.tolerance_bf16 = 8e-2;
  c.tolerance_f16 = 1e-2;
  return c;
}

// The same segments beside the rows.
Segments on_device_of(const Variable& x, const Segments& s) {
  return Segments(beside(x, s.ids()), s.count());
}

using Function = Variable (*)(const Variable&, const Segments&);

}  // namespace

TEST_CASE("segment reductions: values and gradients") {
  // Segments 1 and 5 are empty, the rows of 2 and 4 lie apart.
  const Segments segments(integers({2, 0, 2, 4, 2, 3, 4}), 6);
  const auto check = [&](OpCase c, Function f) {
    c.inputs = {{{7, 3}}};
    c.run = [=](const Vars& x) { return f(x[0], on_device_of(x[0], segments)); };
    c.edges = {{{7, 0}}, {{7}}, {{7, 2, 2}}};
    check_op_case(c);
  };
  check({"segment_sum", {}, {}}, segment_sum);
  check({"segment_mean", {}, {}}, segment_mean);
  check({"segment_max", {}, {}}, segment_max);
  check(with_difference({"segment_softmax", {}, {}}), segment_softmax);
  check_op_case(values_case("segment_argmax", {{{7, 3}}}, [=](const std::vector<Tensor>& x) {
    return segment_argmax(x[0], on_device_of(x[0], segments));
  }));
}

TEST_CASE("segment reductions of no rows and of no segments") {
  const Segments none(integers({}), 3), nothing(integers({}), 0);
  for (Function f : {segment_sum, segment_mean, segment_max}) {
    CHECK(f(zeros({0, 2}), none).tensor().to_vector<float>() == std::vector<float>(6, 0));
    CHECK(f(zeros({0, 2}), nothing).shape() == Shape{0, 2});
    const Variable x(zeros({0, 2}), true);
    sum(f(x, none)).backward();
    CHECK(x.grad().shape() == Shape{0, 2});
  }
  CHECK(segment_softmax(zeros({0, 2}), none).shape() == Shape{0, 2});
}

TEST_CASE("segment reductions of many uneven segments, on several threads") {
  Generator generator(17);
  const std::int64_t n = 6000, count = 500;
  std::vector<std::int64_t> ids;
  // Squares crowd the low segments: one has hundreds of rows, many have none.
  for (std::int64_t i = 0; i < n; ++i) {
    const double u = generator.next_uniform();
    ids.push_back(static_cast<std::int64_t>(u * u * u * count));
  }
  const Segments segments(integers(ids), count);
  CHECK(sum(segments.sizes()).item() == n);
  for (Function f : {segment_sum, segment_mean, segment_max, segment_softmax}) {
    OpCase c{"segment_sum/large", {{{n, 37}}}, [=](const Vars& x) {
               return f(x[0], on_device_of(x[0], segments));
             }};
    c.numeric = false;
    check_op_case(f == segment_softmax ? with_difference(c) : c);
  }
  // Against the definition.
  const Tensor x = random_uniform({n, 2}, generator, -1, 1, DType::f64);
  std::vector<double> sums(count * 2, 0.0);
  const auto values = x.to_vector<double>();
  for (std::size_t i = 0; i < std::size_t(n); ++i) {
    for (std::size_t k = 0; k < 2; ++k) sums[std::size_t(ids[i]) * 2 + k] += values[i * 2 + k];
  }
  const auto got = segment_sum(x, segments).to_vector<double>();
  for (std::size_t i = 0; i < sums.size(); ++i) CHECK(got[i] == Approx(sums[i]).epsilon(1e-12));
  // Each segment's softmax adds up to 1.
  const auto totals = segment_sum(segment_softmax(x, segments), segments).tensor();
  const auto ones_or_none = totals.to_vector<double>();
  const auto sizes = segments.sizes().to_vector<std::int64_t>();
  for (std::size_t i = 0; i < ones_or_none.size(); ++i) {
    CHECK(ones_or_none[i] == Approx(sizes[i / 2] > 0 ? 1 : 0).epsilon(1e-12));
  }
}

TEST_CASE("segment reductions at known and hard values") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Segments segments(integers({1, 0, 1, 1}), 3);
  CHECK(segments.offsets().to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 4, 4});
  CHECK(segments.order().to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 0, 2, 3});
  const Tensor x = from_values<float>({5, -7, 3, 5}, {4});
  CHECK(segment_sum(x, segments).to_vector<float>() == std::vector<float>{-7, 13, 0});
  CHECK(segment_max(x, segments).tensor().to_vector<float>() == std::vector<float>{-7, 5, 0});
  CHECK(segment_argmax(x, segments).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{1, 0, 0});
  const Tensor hard = from_values<float>({5, 1, nan, 6}, {4});
  CHECK(std::isnan(segment_max(hard, segments).tensor().to_vector<float>()[1]));
  const Tensor far = from_values<float>({1e4f, 0, -1e4f, 1e4f}, {4});
  CHECK(segment_softmax(far, segments).tensor().to_vector<float>() ==
        std::vector<float>{0.5f, 1, 0, 0.5f});
}

TEST_CASE("segment reductions refuse ids and inputs that do not fit") {
  CHECK_THROWS_WITH(Segments(integers({0, 3}), 3),
                    Catch::Contains("[segments] expected indices in [0, 3), got 3 at position 1"));
  CHECK_THROWS_WITH(Segments(zeros({2}), 3), Catch::Contains("dtype i64"));
  CHECK_THROWS_WITH(Segments(integers({0}), -1), Catch::Contains("count >= 0"));
  CHECK_THROWS_WITH(Segments(reshape(integers({0, 1}), {2, 1}), 3), Catch::Contains("ids [n]"));
  const Segments segments(integers({0, 1}), 2);
  CHECK_THROWS_WITH(segment_sum(zeros({3, 2}), segments),
                    Catch::Contains("[segment_sum] expected x [2, ...]"));
  CHECK_THROWS_WITH(segment_max(scalar(1), segments), Catch::Contains("expected x [2, ...]"));
  CHECK_THROWS_WITH(segment_sum(arange(2), segments), Catch::Contains("a floating dtype"));
}
