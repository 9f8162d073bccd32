#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("operations that change the shape: values and gradients") {
  check_op_case({"reshape", {{{3, 4}}}, [](const Vars& x) { return reshape(x[0], {2, -1}); }});
  check_op_case(
      {"reshape/copy", {{{3, 4}}}, [](const Vars& x) { return reshape(transpose(x[0]), {12}); }});
  check_op_case({"flatten", {{{2, 3, 2}}}, [](const Vars& x) { return flatten(x[0]); }});
  check_op_case({"permute", {{{2, 3, 4}}}, [](const Vars& x) { return permute(x[0], {2, 0, 1}); }});
  check_op_case({"transpose", {{{2, 3, 4}}}, [](const Vars& x) { return transpose(x[0], 0, -1); }});
  check_op_case({"slice", {{{5, 6}}}, [](const Vars& x) { return slice(x[0], 1, 1, -1, 2); }});
  check_op_case({"select", {{{5, 6}}}, [](const Vars& x) { return select(x[0], 0, -2); }});
  check_op_case({"unslice", {{{2, 3}}}, [](const Vars& x) { return unslice(x[0], 1, 8, 1, 3); }});
  check_op_case({"expand", {{{3, 1}}}, [](const Vars& x) { return expand(x[0], {2, 3, 4}); }});
  check_op_case({"unsqueeze", {{{3, 2}}}, [](const Vars& x) { return unsqueeze(x[0], 1); }});
  check_op_case({"squeeze", {{{3, 1, 2}}}, [](const Vars& x) { return squeeze(x[0], -2); }});
}

TEST_CASE("split and chunk: values and gradients") {
  // Parts with different weights, the middle one unused: its gradient is zero.
  check_op_case({"split", {{{3, 7}}}, [](const Vars& x) {
                   const Vars parts = split(x[0], {2, 4, 1}, 1);
                   return sum(square(parts[0])) + sum(mul(square(parts[2]), 3.0));
                 }});
  check_op_case({"split/one", {{{3, 7}}}, [](const Vars& x) {
                   return square(split(x[0], {0, 7}, -1)[1]);
                 }});
  check_op_case({"chunk", {{{7, 2}}}, [](const Vars& x) {
                   Variable total = sum(square(x[0]));
                   double weight = 1;
                   for (const Variable& part : chunk(x[0], 3)) {
                     total = total + mul(sum(square(part)), weight *= 2);
                   }
                   return total;
                 }});
}

TEST_CASE("split and chunk: sizes, views and errors") {
  const Tensor x = reshape(arange(14), {7, 2});
  const std::vector<Tensor> parts = chunk(x, 3);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].shape() == Shape{3, 2});
  CHECK(parts[2].shape() == Shape{1, 2});
  CHECK(parts[2].storage() == x.storage());
  CHECK(parts[2].to_vector<std::int64_t>() == std::vector<std::int64_t>{12, 13});
  CHECK(chunk(x, 5).size() == 4);  // slices of 2, rounded up
  CHECK(chunk(zeros({0, 2}), 3).size() == 1);
  CHECK(chunk(x, 100, 1).size() == 2);
  CHECK_THROWS_WITH(split(x, {3, 3}),
                    Catch::Contains("[split] expected sizes >= 0 that add up to 7"));
  CHECK_THROWS_WITH(split(x, {9, -2}), Catch::Contains("[split] expected sizes >= 0"));
  CHECK_THROWS_WITH(chunk(x, 0), Catch::Contains("[chunk] expected count >= 1, got 0"));
  CHECK_THROWS_WITH(split(x, {2}, 2), Catch::Contains("[split] expected axis in [-2, 2), got 2"));
}

TEST_CASE("as_strided: windows, overlap and bounds") {
  check_op_case({"as_strided", {{{4, 5}}}, [](const Vars& x) {
                   return as_strided(contiguous(x[0]), {3, 2, 4}, {4, 1, 2}, 3);
                 }});
  check_op_case({"as_strided/empty", {{{0}}}, [](const Vars& x) {
                   return as_strided(contiguous(x[0]), {0, 2}, {1, 1});
                 }});
  const Tensor x = arange(6);
  const Tensor windows = as_strided(x, {4, 3}, {1, 1});
  CHECK(windows.storage() == x.storage());
  CHECK(select(windows, 0, 2).to_vector<std::int64_t>() == std::vector<std::int64_t>{2, 3, 4});
  // Offsets count from x's first element, and nothing beyond x is reached, though its storage is.
  CHECK(as_strided(slice(x, 0, 2, 5), {1}, {1}, 1).item() == 3);
  CHECK_THROWS_WITH(as_strided(slice(x, 0, 2, 5), {4}, {1}),
                    Catch::Contains("expected elements within the 3 of x"));
  CHECK_THROWS_WITH(as_strided(x, {2}, {1}, -1), Catch::Contains("got offset -1"));
  CHECK_THROWS_WITH(as_strided(x, {3}, {std::int64_t{1} << 62}), Catch::Contains("within the 6"));
  CHECK_THROWS_WITH(as_strided(x, {2}, {-1}, 3), Catch::Contains("expected strides >= 0"));
  CHECK_THROWS_WITH(as_strided(x, {2, 1}, {1}), Catch::Contains("one stride an axis"));
  CHECK_THROWS_WITH(as_strided(slice(x, 0, 0, 6, 2), {1}, {1}), Catch::Contains("row-major"));
}

TEST_CASE("shape operations of empty and 0-dim inputs") {
  check_op_case({"reshape/empty", {{{0, 4}}}, [](const Vars& x) { return reshape(x[0], {2, 0}); }});
  check_op_case({"reshape/0-dim", {{{}}}, [](const Vars& x) { return reshape(x[0], {1, 1}); }});
  check_op_case({"slice/empty", {{{3}}}, [](const Vars& x) { return slice(x[0], 0, 2, 1); }});
  CHECK(permute(scalar(2), {}).item() == 2);
}

TEST_CASE("views share memory; flatten keeps NCHW order of channels-last images") {
  const Tensor x = reshape(arange(12, DType::f32), {1, 3, 2, 2});
  CHECK(transpose(x).storage() == x.storage());
  CHECK(slice(x, 1, 1, 2).storage() == x.storage());
  CHECK(reshape(x, {3, 4}).storage() == x.storage());
  const Tensor last = channels_last(x);
  CHECK(last.is_channels_last());
  CHECK(flatten(last).to_vector<float>() == x.to_vector<float>());
}

TEST_CASE("slices follow Python's rules for bounds") {
  const Tensor x = arange(5);
  const auto values = [](const Tensor& t) { return t.to_vector<std::int64_t>(); };
  using Values = std::vector<std::int64_t>;
  CHECK(values(slice(x, 0, -3, 100)) == Values{2, 3, 4});
  CHECK(values(slice(x, 0, -100, 2)) == Values{0, 1});
  CHECK(values(slice(x, 0, 1, 5, 3)) == Values{1, 4});
  CHECK(values(slice(x, 0, 4, 2)).empty());
}

TEST_CASE("shape operations refuse what does not fit, naming the op") {
  const Tensor x = zeros({2, 3});
  CHECK_THROWS_WITH(reshape(x, {4, 2}), Catch::Contains("[reshape]"));
  CHECK_THROWS_WITH(reshape(x, {-1, -1}), Catch::Contains("[reshape]"));
  CHECK_THROWS_WITH(permute(x, {0, 0}), Catch::Contains("[permute]"));
  CHECK_THROWS_WITH(transpose(x, 0, 2), Catch::Contains("expected axis in [-2, 2), got 2"));
  CHECK_THROWS_WITH(slice(x, 0, 0, 2, 0), Catch::Contains("[slice] expected step > 0"));
  CHECK_THROWS_WITH(select(x, 1, 3), Catch::Contains("[select] expected index in [-3, 3), got 3"));
  CHECK_THROWS_WITH(expand(x, {3, 3}), Catch::Contains("[expand]"));
  CHECK_THROWS_WITH(squeeze(x, 0), Catch::Contains("expected size 1 on axis 0"));
  CHECK_THROWS_WITH(unsqueeze(x, 4), Catch::Contains("expected axis in [-3, 2]"));
  CHECK_THROWS_WITH(unslice(x, 1, 3, 1, 1), Catch::Contains("[unslice]"));
  CHECK_THROWS_WITH(broadcast_shape("mul", {2, 3}, {4}), Catch::Contains("[mul]"));
}
