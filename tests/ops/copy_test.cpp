#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/ops/op_case.h"

using namespace athanor;
using athanor::test::check_op_case;
using athanor::test::OpCase;
using Vars = std::vector<Variable>;

TEST_CASE("copies: values and gradients") {
  check_op_case({"clone", {{{3, 4}}}, [](const Vars& x) { return clone(x[0]); }});
  check_op_case(
      {"contiguous", {{{3, 4}}}, [](const Vars& x) { return contiguous(transpose(x[0])); }});
  check_op_case(
      {"channels_last", {{{2, 3, 4, 2}}}, [](const Vars& x) { return channels_last(x[0]); }});
  OpCase large{"contiguous/large", {{{257, 301}}}, [](const Vars& x) {
                 return contiguous(transpose(x[0]));
               }};
  large.numeric = false;
  check_op_case(large);
  check_op_case({"clone/0-dim", {{{}}}, [](const Vars& x) { return clone(x[0]); }});
  check_op_case({"clone/empty", {{{0, 2}}}, [](const Vars& x) { return clone(x[0]); }});
}

TEST_CASE("cast converts between all dtypes and casts the gradient back") {
  for (DType from : {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8, DType::u8,
                     DType::i32, DType::i64, DType::boolean}) {
    for (DType to : {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8, DType::u8,
                     DType::i32, DType::i64, DType::boolean}) {
      // 0 and 1 are exact in every dtype.
      const Tensor x = cast(arange(2), from);
      CHECK(cast(cast(x, to), DType::i64).to_vector<std::int64_t>() ==
            std::vector<std::int64_t>{0, 1});
    }
  }
  CHECK(cast(from_values<float>({-1.9f, 2.9f}, {2}), DType::i32).to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{-1, 2});
  const Variable x(ones({2}), true);
  sum(cast(x, DType::f64)).backward();
  CHECK(x.grad().dtype() == DType::f32);
  CHECK(x.grad().tensor().to_vector<float>() == std::vector<float>{1, 1});
}

TEST_CASE("fills, ranges and in-place copies") {
  CHECK(full({2}, 3, DType::i8).to_vector<std::int8_t>() == std::vector<std::int8_t>{3, 3});
  CHECK(arange(3, DType::f32, 1, 0.5).to_vector<float>() == std::vector<float>{1, 1.5f, 2});
  CHECK(zeros_like(arange(2)).dtype() == DType::i64);
  Tensor y = zeros({2, 3});
  Tensor column = select(y, 1, 1);
  fill_(column, 5);
  CHECK(y.to_vector<float>() == std::vector<float>{0, 5, 0, 0, 5, 0});
  copy_(y, arange(3));
  CHECK(y.to_vector<float>() == std::vector<float>{0, 1, 2, 0, 1, 2});
  CHECK(y.version() == 2);
  const Tensor strided = transpose(reshape(arange(6), {2, 3}));
  CHECK(clone(strided).strides() == strided.strides());
}

TEST_CASE("copies refuse what does not fit, naming the op") {
  Tensor y = zeros({2});
  CHECK_THROWS_WITH(copy_(y, zeros({3})), Catch::Contains("[expand]"));
  CHECK_THROWS_WITH(channels_last(y), Catch::Contains("[channels_last] expected rank 4"));
  CHECK_THROWS_WITH(arange(-1), Catch::Contains("[arange] expected count >= 0"));
  CHECK_THROWS_WITH(clone(Tensor()), Catch::Contains("undefined"));
  CHECK_THROWS_WITH(zeros({2, -1}), Catch::Contains("sizes >= 0"));
}
