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

TEST_CASE("copies that contiguous() makes are counted") {
  const Tensor x = ones({3, 4});
  const std::int64_t before = contiguous_count();
  contiguous(x);
  matmul(x, transpose(x));  // reads the transposed operand in place
  CHECK(contiguous_count() == before);
  contiguous(transpose(x));
  reshape(transpose(x), {12});
  CHECK(contiguous_count() == before + 2);
}

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
  // Planes whose sides are no multiples of the blocks in which a copy turns them.
  OpCase planes{"channels_last/planes", {{{3, 21, 5, 11}}}, [](const Vars& x) {
                  return channels_last(x[0]);
                }};
  planes.numeric = false;
  check_op_case(planes);
  OpCase middle{"contiguous/middle", {{{2, 9, 3, 34}}}, [](const Vars& x) {
                  return contiguous(permute(x[0], {0, 3, 2, 1}));
                }};
  middle.numeric = false;
  check_op_case(middle);
  check_op_case({"clone/0-dim", {{{}}}, [](const Vars& x) { return clone(x[0]); }});
  check_op_case({"clone/empty", {{{0, 2}}}, [](const Vars& x) { return clone(x[0]); }});
}

TEST_CASE("a turned copy keeps every bit") {
  Tensor x = empty({11, 19}, DType::i32);
  for (std::uint32_t i = 0; i < 11 * 19; ++i) {  // among them NaNs of both kinds, read as floats
    x.data<std::int32_t>()[i] = static_cast<std::int32_t>(i * 0x01010101U ^ 0x7fa00001U);
  }
  const std::vector<std::int32_t> from = x.to_vector<std::int32_t>();
  const std::vector<std::int32_t> y = contiguous(transpose(x)).to_vector<std::int32_t>();
  for (std::size_t i = 0; i < 11; ++i) {
    for (std::size_t j = 0; j < 19; ++j) CHECK(y[j * 11 + i] == from[i * 19 + j]);
  }
}

TEST_CASE("filled tensors and in-place copies: fast = reference, in the input's dtype") {
  using Tensors = std::vector<Tensor>;
  for (const Shape& shape : {Shape{3, 4}, Shape{0, 4}, Shape{}}) {
    check_op_case(
        values_case("full_like", {{shape}}, [](const Tensors& x) { return full_like(x[0], 1.5); }));
    check_op_case(
        values_case("zeros_like", {{shape}}, [](const Tensors& x) { return zeros_like(x[0]); }));
    check_op_case(
        values_case("ones_like", {{shape}}, [](const Tensors& x) { return ones_like(x[0]); }));
    check_op_case(values_case(
        "full", {{shape}}, [](const Tensors& x) { return full(x[0].shape(), -2, x[0].dtype()); }));
    check_op_case(values_case("zeros", {{shape}},
                              [](const Tensors& x) { return zeros(x[0].shape(), x[0].dtype()); }));
    check_op_case(values_case("ones", {{shape}},
                              [](const Tensors& x) { return ones(x[0].shape(), x[0].dtype()); }));
    check_op_case(values_case("fill_", {{shape}}, [](const Tensors& x) {
      Tensor y = clone(x[0]);
      fill_(y, 2.5);
      return y;
    }));
    check_op_case(values_case("copy_", {{shape}}, [](const Tensors& x) {
      Tensor y = zeros(x[0].shape(), x[0].dtype());
      copy_(y, x[0]);
      return y;
    }));
  }
  check_op_case(
      values_case("scalar", {{{}}}, [](const Tensors& x) { return scalar(1.25, x[0].dtype()); }));
  check_op_case(values_case("arange", {{{}}},
                            [](const Tensors& x) { return arange(7, x[0].dtype(), 1, 0.5); }));
  check_op_case(values_case("linspace", {{{}}},
                            [](const Tensors& x) { return linspace(-1, 1, 5, x[0].dtype()); }));
  check_op_case(
      values_case("eye", {{{}}}, [](const Tensors& x) { return eye(3, 5, x[0].dtype()); }));
}

TEST_CASE("linspace meets both ends; eye is square unless told otherwise") {
  CHECK(linspace(0, 1, 5).to_vector<float>() == std::vector<float>{0, 0.25f, 0.5f, 0.75f, 1});
  CHECK(linspace(0.1, 0.3, 7, DType::f64).to_vector<double>().back() == 0.3);
  CHECK(linspace(3, 4, 1).to_vector<float>() == std::vector<float>{3});
  CHECK(linspace(3, 4, 0).shape() == Shape{0});
  CHECK(eye(2).to_vector<float>() == std::vector<float>{1, 0, 0, 1});
  CHECK(eye(3, 2, DType::i32).to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{1, 0, 0, 1, 0, 0});
  CHECK(eye(2, 0).shape() == Shape{2, 0});
  CHECK_THROWS_WITH(linspace(0, 1, -1), Catch::Contains("[linspace] expected count >= 0"));
  CHECK_THROWS_WITH(linspace(0, 1, 3, DType::i64), Catch::Contains("a floating dtype"));
  CHECK_THROWS_WITH(eye(-2), Catch::Contains("[eye] expected sizes >= 0, got -2"));
}

TEST_CASE("cast: values and gradients") {
  OpCase c{"cast", {{{3, 4}}}, [](const Vars& x) { return cast(x[0], DType::f32); }};
  c.numeric = false;  // the result is f32, too coarse for numeric differences
  c.tolerance_f32 = 1e-6;
  check_op_case(c);
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

TEST_CASE("casts are defined for every value") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Tensor x = from_values<double>({nan, inf, -inf, 1e300, -300.7, 255.9, 3e9}, {7});
  const auto as = [&](DType dtype) {
    return cast(cast(x, dtype), DType::i64).to_vector<std::int64_t>();
  };
  using Values = std::vector<std::int64_t>;
  constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kHigh = std::numeric_limits<std::int64_t>::max();
  CHECK(as(DType::i8) == Values{0, 127, -128, 127, -128, 127, 127});
  CHECK(as(DType::u8) == Values{0, 255, 0, 255, 0, 255, 255});
  CHECK(as(DType::i32) == Values{0, 2147483647, -2147483648, 2147483647, -300, 255, 2147483647});
  CHECK(as(DType::i64) == Values{0, kHigh, kLow, kHigh, -300, 255, 3000000000});
  CHECK(as(DType::boolean) == Values{1, 1, 1, 1, 1, 1, 1});
  {
    UseReferenceKernels reference;
    CHECK(as(DType::i8) == Values{0, 127, -128, 127, -128, 127, 127});
  }
  // Integers keep their low bits.
  const Tensor wide = from_values<std::int64_t>({300, -1, 128}, {3});
  CHECK(cast(wide, DType::u8).to_vector<std::uint8_t>() == std::vector<std::uint8_t>{44, 255, 128});
  CHECK(cast(wide, DType::i8).to_vector<std::int8_t>() == std::vector<std::int8_t>{44, -1, -128});
}

TEST_CASE("numbers that an integer dtype does not hold are errors") {
  const Tensor x = arange(3);
  CHECK_THROWS_WITH(full({2}, 0.5, DType::i32),
                    Catch::Contains("[full] expected a number that i32 holds, got 0.5"));
  CHECK_THROWS_WITH(full({2}, 256, DType::u8), Catch::Contains("u8 holds, got 256"));
  CHECK_THROWS_WITH(full({2}, 2, DType::boolean), Catch::Contains("bool holds, got 2"));
  CHECK_THROWS_WITH(full({}, std::nan(""), DType::i64), Catch::Contains("i64 holds"));
  CHECK_THROWS_WITH(full({}, 9223372036854775808.0, DType::i64), Catch::Contains("i64 holds"));
  CHECK(full({}, -9223372036854775808.0, DType::i64).to_vector<std::int64_t>()[0] ==
        std::numeric_limits<std::int64_t>::min());
  CHECK_THROWS_WITH(add(x, 0.5), Catch::Contains("[add] expected a number that i64 holds"));
  CHECK_THROWS_WITH(mul(x, 0.5), Catch::Contains("[mul] expected a number that i64 holds"));
  CHECK_THROWS_WITH(masked_fill(x, isnan(x), 0.5),
                    Catch::Contains("[masked_fill] expected a number"));
  CHECK_THROWS_WITH(pad(x, {{1, 1}}, 0.5), Catch::Contains("[pad] expected a number"));
  CHECK_THROWS_WITH(arange(3, DType::i64, 0, 0.5), Catch::Contains("[arange] expected a number"));
  CHECK_THROWS_WITH(arange(200, DType::i8), Catch::Contains("i8 holds, got 199"));
  // Bounds of a clamp may lie between and beyond the dtype's numbers.
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(clamp(x, 0.5, inf).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 1, 2});
  CHECK_THROWS_WITH(clamp(x, 0.2, 0.8), Catch::Contains("[clamp] expected bounds with a number"));
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
  CHECK_THROWS_WITH(copy_(y, zeros({3})), Catch::Contains("[copy_]"));
  CHECK_THROWS_WITH(channels_last(y), Catch::Contains("[channels_last] expected rank 4"));
  CHECK_THROWS_WITH(arange(-1), Catch::Contains("[arange] expected count >= 0"));
  CHECK_THROWS_WITH(clone(Tensor()), Catch::Contains("undefined"));
  CHECK_THROWS_WITH(zeros({2, -1}), Catch::Contains("sizes >= 0"));
}
