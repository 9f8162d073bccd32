// The expected texts are NumPy's, but for the name "tensor", the dtype's name and C++'s booleans.
#include "tensor/print.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tensor/ops.h"

using namespace athanor;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

template <class T>
std::string text(std::initializer_list<T> values, const Shape& shape) {
  return to_text(from_values<T>(values, shape));
}

}  // namespace

TEST_CASE("floating values are aligned at the point with the fewest digits") {
  CHECK(text<float>({1, 2.5f, -3, 4}, {2, 2}) ==
        "tensor([[ 1. ,  2.5],\n"
        "        [-3. ,  4. ]], f32)");
  CHECK(text<double>({1.0 / 3, 2.0 / 3, 100}, {3}) ==
        "tensor([  0.33333333,   0.66666667, 100.        ], f64)");
  CHECK(text<float>({0.1f, NAN, -kInf}, {3}) == "tensor([ 0.1,  nan, -inf], f32)");
  CHECK(text<double>({NAN, 1}, {2}) == "tensor([nan,  1.], f64)");
  CHECK(text<double>({-0.0, 0, 1234567}, {3}) == "tensor([     -0.,       0., 1234567.], f64)");
  CHECK(text<f16>({f16(0.1f), f16(1)}, {2}) == "tensor([0.1, 1. ], f16)");
  CHECK(text<bf16>({bf16(0.1f), bf16(2)}, {2}) == "tensor([0.1, 2. ], bf16)");
}

TEST_CASE("a wide range is written with exponents") {
  CHECK(text<float>({1e-10f, 1.5f, -2}, {3}) == "tensor([ 1.0e-10,  1.5e+00, -2.0e+00], f32)");
  CHECK(text<float>({1e9f, 1}, {2}) == "tensor([1.e+09, 1.e+00], f32)");
  CHECK(text<double>({1e-5, 2e-5}, {2}) == "tensor([1.e-05, 2.e-05], f64)");
  CHECK(text<float>({16777216, 0.5f}, {2}) == "tensor([1.6777216e+07, 5.0000000e-01], f32)");
}

TEST_CASE("integers, booleans, 0-dim and empty tensors") {
  CHECK(text<bool>({true, false}, {2}) == "tensor([ true, false], bool)");
  CHECK(text<std::int8_t>({-128, 7}, {2}) == "tensor([-128,    7], i8)");
  CHECK(to_text(scalar(3)) == "tensor(3., f32)");
  CHECK(to_text(scalar(-3, DType::i64)) == "tensor(-3, i64)");
  CHECK(to_text(zeros({0, 4})) == "tensor([], shape=[0, 4], f32)");
  CHECK(to_text(Tensor()) == "undefined tensor");
  CHECK(to_text(reshape(arange(24), {2, 3, 4})) ==
        "tensor([[[ 0,  1,  2,  3],\n"
        "         [ 4,  5,  6,  7],\n"
        "         [ 8,  9, 10, 11]],\n"
        "\n"
        "        [[12, 13, 14, 15],\n"
        "         [16, 17, 18, 19],\n"
        "         [20, 21, 22, 23]]], i64)");
}

TEST_CASE("large tensors are summarised, long rows are broken") {
  CHECK(to_text(reshape(arange(2000), {40, 50})) ==
        "tensor([[   0,    1,    2, ...,   47,   48,   49],\n"
        "        [  50,   51,   52, ...,   97,   98,   99],\n"
        "        [ 100,  101,  102, ...,  147,  148,  149],\n"
        "        ...,\n"
        "        [1850, 1851, 1852, ..., 1897, 1898, 1899],\n"
        "        [1900, 1901, 1902, ..., 1947, 1948, 1949],\n"
        "        [1950, 1951, 1952, ..., 1997, 1998, 1999]], shape=[40, 50], i64)");
  CHECK(to_text(arange(1001, DType::f32)) ==
        "tensor([   0.,    1.,    2., ...,  998.,  999., 1000.], shape=[1001], f32)");
  CHECK(to_text(arange(30)) ==
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16,\n"
        "        17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29], i64)");
}

TEST_CASE("printing follows strides and options") {
  const Tensor x = reshape(arange(6), {2, 3});
  CHECK(to_text(transpose(x)) ==
        "tensor([[0, 3],\n"
        "        [1, 4],\n"
        "        [2, 5]], i64)");
  CHECK(to_text(expand(scalar(1.25), {2}), {.precision = 1}) == "tensor([1.2, 1.2], f32)");
  CHECK(to_text(full({2}, 3.14159265, DType::f64), {.precision = 3}) ==
        "tensor([3.142, 3.142], f64)");
  CHECK(to_text(arange(9), {.threshold = 5, .edge_items = 1}) ==
        "tensor([0, ..., 8], shape=[9], i64)");
  CHECK_THROWS_WITH(to_text(x, {.precision = -1}), Catch::Contains("precision and edge_items"));
  const PrintOptions before = print_options();
  set_print_options({.precision = 2});
  CHECK(str(full({1}, 2.0 / 3)) == "tensor([0.67], f32)");
  set_print_options(before);
}
