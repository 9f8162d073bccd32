#include "tensor/io/npy.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tensor/ops/copy.h"
#include "tensor/ops/shape.h"
#include "tests/io/mutate.h"
#include "tests/io/scratch.h"

using namespace athanor;
using test::as_bytes;

namespace {

std::string file_of(const std::string& dict, const std::string& elements, int major = 1) {
  std::string out("\x93NUMPY");
  out += static_cast<char>(major);
  out += '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) out += static_cast<char>(dict.size() >> (8 * i));
  return out + dict + elements;
}

std::string dict_of(const std::string& descr, const std::string& shape, bool fortran = false) {
  return str("{'descr': '", descr, "', 'fortran_order': ", fortran ? "True" : "False",
             ", 'shape': ", shape, ", }");
}

Tensor parse(const std::string& bytes, const Limits& limits = {}) {
  return parse_npy(as_bytes(bytes), "x.npy", limits);
}

void refuse(const std::string& bytes, const std::string& reason) {
  const Error error = test::error_of([&] { parse(bytes); });
  CHECK(error.kind() == ErrorKind::bad_input);
  CHECK_THAT(error.what(), Catch::StartsWith("x.npy: offset ") && Catch::Contains(reason));
}

template <class T>
void check_round_trip(const std::vector<T>& values, const Shape& shape) {
  const Tensor read = parse(encode_npy(from_values<T>(values, shape)));
  CHECK(read.shape() == shape);
  CHECK(read.to_vector<T>() == values);
}

}  // namespace

TEST_CASE("encode_npy writes the bytes that NumPy 2 writes") {
  // numpy.save of numpy.arange(6, dtype='<i4').reshape(2, 3)
  std::string expected = file_of(
      "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }" + std::string(58, ' ') + '\n',
      "");
  for (char i = 0; i < 6; ++i) expected += std::string{i, 0, 0, 0};
  CHECK(expected.size() == 128 + 24);
  CHECK(encode_npy(reshape(arange(6, DType::i32), {2, 3})) == expected);
}

TEST_CASE("NPY round-trips every dtype that NumPy has, any strides") {
  check_round_trip<float>({1.5f, -0.0f, 3e38f}, {3});
  check_round_trip<double>({1e-300, 2.0}, {1, 2});
  check_round_trip<std::int8_t>({-128, 127}, {2, 1});
  check_round_trip<std::uint8_t>({0, 255}, {2});
  check_round_trip<std::int32_t>({-1, 1 << 30}, {2});
  check_round_trip<std::int64_t>({-1, std::int64_t{1} << 60}, {1, 1, 2});
  check_round_trip<double>({4.25}, {});
  check_round_trip<float>({}, {3, 0, 2});
  const Tensor half = cast(from_values<float>({1.5f, -2}, {2}), DType::f16);
  CHECK(cast(parse(encode_npy(half)), DType::f32).to_vector<float>() ==
        std::vector<float>{1.5f, -2});
  const Tensor flags = cast(from_values<float>({1, 0, 1}, {3}), DType::boolean);
  CHECK(cast(parse(encode_npy(flags)), DType::f32).to_vector<float>() ==
        std::vector<float>{1, 0, 1});
  const Tensor x = from_values<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(parse(encode_npy(transpose(x))).to_vector<float>() == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK_THROWS_WITH(encode_npy(zeros({1}, DType::bf16)), Catch::Contains("got bf16; cast it"));

  const test::ScratchDirectory scratch;
  save_npy(scratch.path() / "x.npy", x);
  CHECK(load_npy(scratch.path() / "x.npy").to_vector<float>() == x.to_vector<float>());
}

TEST_CASE("version 2, Fortran order and other writers' headers are read") {
  CHECK(parse(file_of(dict_of("|u1", "(2,)"), "ab", 2)).to_vector<std::uint8_t>() ==
        std::vector<std::uint8_t>{'a', 'b'});
  const Tensor f = parse(file_of(dict_of("|u1", "(2, 3)", true), std::string("\1\2\3\4\5\6")));
  CHECK(f.shape() == Shape{2, 3});
  CHECK(f.to_vector<std::uint8_t>() == std::vector<std::uint8_t>{1, 3, 5, 2, 4, 6});
  CHECK(parse(file_of("{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"<i1\"}\n", "a"))
            .to_vector<std::int8_t>() == std::vector<std::int8_t>{'a'});
}

TEST_CASE("16-bit and unsigned 32-bit integers are widened") {
  const std::string bytes("\xfe\xff\x01\x00", 4);
  const Tensor i2 = parse(file_of(dict_of("<i2", "(2,)"), bytes));
  CHECK(i2.to_vector<std::int32_t>() == std::vector<std::int32_t>{-2, 1});
  const Tensor u2 = parse(file_of(dict_of("<u2", "(2, 1)", true), bytes));
  CHECK(u2.shape() == Shape{2, 1});
  CHECK(u2.to_vector<std::int32_t>() == std::vector<std::int32_t>{65534, 1});
  const Tensor u4 = parse(file_of(dict_of("<u4", "()"), std::string(4, '\xff')));
  CHECK(u4.to_vector<std::int64_t>() == std::vector<std::int64_t>{4294967295});
  refuse(file_of(dict_of("<u2", "(2,)"), "abc"), "elements: expected 4 bytes, found 3");
}

TEST_CASE("NPY errors name file, offset, field, expected and found") {
  refuse("", "magic: expected 6 bytes, found 0");
  refuse("NUMPYNUMPY", "magic: expected \\x93NUMPY");
  refuse(file_of(dict_of("|u1", "()"), "a", 3), "version: expected 1.0 or 2.0, found 3.0");
  refuse(file_of("", "").substr(0, 9), "header length: expected 2 bytes, found 1");
  refuse(file_of(dict_of(">f4", "(1,)"), "abcd"), "'>f4' (big-endian");
  refuse(file_of(dict_of("<U4", "(1,)"), "abcd"), "found '<U4'");
  refuse(file_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", ""),
         "structured");
  refuse(file_of("{'descr': '<f4', 'fortran_order': False}", ""), "not all of them");
  refuse(file_of("{'descr': '<f4', 'descr': '<f4'}", ""), "each once, found 'descr'");
  refuse(file_of("{'descr': '<f4', 'more': 1}", ""), "found 'more'");
  refuse(file_of(dict_of("|u1", "(2)"), "ab"), "a number in parentheses");
  refuse(file_of(dict_of("|u1", "(-2,)"), "ab"), "a size");
  refuse(file_of(dict_of("|u1", "(99999999999999999999,)"), "ab"), "below 2^63");
  refuse(file_of(dict_of("|u1", "(1,1,1,1,1,1,1,1,1)"), "a"), "rank <= 8");
  refuse(file_of(dict_of("<f4", "(2,)"), "abcdefg"), "elements: expected 8 bytes, found 7");
  refuse(file_of(dict_of("<f4", "(1,)"), "abcde"), "end: expected the end");
  refuse(file_of(dict_of("<f8", "(4294967296, 4294967296, 0)"), ""), "shape: expected at most");
  refuse(file_of(dict_of("|b1", "(2,)"), "\x01\x02"), "expected 0 or 1 for a bool, found 2");
  refuse(file_of(dict_of("|u1", "()") + " x", "a"), "only white space");
}

TEST_CASE("parse_npy survives every truncation and random mutations") {
  const auto parse_bytes = [](std::span<const std::byte> bytes) {
    Limits limits;
    limits.max_bytes = 1 << 20;
    parse_npy(bytes, "mutant", limits);
  };
  const std::string valid = file_of(dict_of("<f4", "(2, 1)"), "abcdefgh");
  CHECK(test::every_truncation(valid, parse_bytes).accepted == 0);
  CHECK(test::random_mutations(file_of(dict_of("<u2", "(4,)"), "abcdefgh"), 5'000, parse_bytes)
            .refused > 0);
  const auto counts = test::random_mutations(valid, 20'000, parse_bytes);
  CHECK(counts.accepted > 0);
  CHECK(counts.refused > 0);
}
