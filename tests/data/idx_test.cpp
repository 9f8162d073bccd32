#include "data/idx.h"

#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <vector>

#include "data/gzip.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/shape.h"
#include "tests/io/mutate.h"
#include "tests/io/scratch.h"

using namespace athanor;
using data::encode_idx;
using data::gunzip;
using data::gzip;
using data::load_idx;
using data::parse_idx;
using test::as_bytes;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (int v : values) out.push_back(static_cast<char>(v));
  return out;
}

std::string message_of(const std::string& idx, const Limits& limits = {}) {
  const Error error = test::error_of([&] { parse_idx(as_bytes(idx), "file.idx", limits); });
  CHECK(error.kind() == ErrorKind::bad_input);
  return error.what();
}

// [2, 3] u8 with elements 1 .. 6.
const std::string kSmall = bytes({0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6});

template <class T>
void check_round_trip(const std::vector<T>& values, const Shape& shape) {
  const Tensor original = from_values<T>(values, shape);
  const std::string encoded = encode_idx(original);
  const Tensor read = parse_idx(as_bytes(encoded), "x");
  CHECK(read.shape() == shape);
  CHECK(read.dtype() == original.dtype());
  CHECK(read.to_vector<T>() == values);
}

}  // namespace

TEST_CASE("parse_idx reads every element type") {
  const Tensor u8 = parse_idx(as_bytes(kSmall), "x");
  CHECK(u8.shape() == Shape{2, 3});
  CHECK(u8.to_vector<std::uint8_t>() == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});

  const auto i8 = parse_idx(as_bytes(bytes({0, 0, 9, 1, 0, 0, 0, 2, 0x7f, 0x80})), "x");
  CHECK(i8.to_vector<std::int8_t>() == std::vector<std::int8_t>{127, -128});

  const auto i16 =
      parse_idx(as_bytes(bytes({0, 0, 11, 1, 0, 0, 0, 2, 0x12, 0x34, 0xff, 0xfe})), "x");
  CHECK(i16.dtype() == DType::i32);
  CHECK(i16.to_vector<std::int32_t>() == std::vector<std::int32_t>{0x1234, -2});

  const auto i32 = parse_idx(as_bytes(bytes({0, 0, 12, 1, 0, 0, 0, 1, 0x80, 0, 0, 1})), "x");
  CHECK(i32.to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min() + 1});

  const auto f32 = parse_idx(as_bytes(bytes({0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0})), "x");
  CHECK(f32.to_vector<float>() == std::vector<float>{1.5f});

  const auto f64 =
      parse_idx(as_bytes(bytes({0, 0, 14, 1, 0, 0, 0, 1, 0xc0, 0x04, 0, 0, 0, 0, 0, 0})), "x");
  CHECK(f64.to_vector<double>() == std::vector<double>{-2.5});
}

TEST_CASE("encode_idx and parse_idx are inverse, any strides, empty and 0-dim included") {
  check_round_trip<std::uint8_t>({0, 255, 7, 9}, {2, 2});
  check_round_trip<std::int8_t>({-128, 127}, {2});
  check_round_trip<std::int32_t>({-1, 1 << 30, 0}, {3, 1, 1});
  check_round_trip<float>({1.5f, -0.0f, 3e38f}, {3});
  check_round_trip<double>({1e-300, 2.0}, {1, 2});
  check_round_trip<double>({4.25}, {});
  check_round_trip<float>({}, {3, 0, 2});

  const Tensor x = from_values<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const std::string encoded = encode_idx(transpose(x));
  CHECK(parse_idx(as_bytes(encoded), "x").to_vector<float>() ==
        std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK_THROWS_WITH(encode_idx(zeros({1}, DType::i64)), Catch::Contains("got i64"));
}

TEST_CASE("parse_idx errors name file, offset, field, expected and found") {
  CHECK_THAT(message_of(""), Catch::Equals("file.idx: offset 0, magic number: expected 2 bytes, "
                                           "found 0 before the end"));
  CHECK_THAT(message_of(bytes({1, 0, 8, 0})), Catch::Contains("magic number: expected 0 0"));
  CHECK_THAT(message_of(bytes({0, 0, 10, 0})),
             Catch::Contains("offset 2, element type") && Catch::Contains("found 10"));
  CHECK_THAT(message_of(bytes({0, 0, 8, 9})),
             Catch::Contains("offset 3, rank: expected at most 8, found 9"));
  CHECK_THAT(message_of(kSmall.substr(0, 10)), Catch::Contains("offset 8, size"));
  CHECK_THAT(message_of(kSmall.substr(0, 17)),
             Catch::Contains("offset 12, elements: expected 6 bytes, found 5"));
  CHECK_THAT(message_of(kSmall + "x"), Catch::Contains("offset 18, end"));
}

TEST_CASE("parse_idx allocates nothing for sizes that the file cannot hold") {
  // 4 axes of 2^32 - 1 overflow 64 bits; with a 0 among them the product is 0 but strides overflow.
  std::string huge = bytes({0, 0, 14, 4});
  for (int i = 0; i < 16; ++i) huge += '\xff';
  CHECK_THAT(message_of(huge), Catch::Contains("sizes: expected at most"));
  huge.replace(4, 4, std::string(4, '\0'));
  CHECK_THAT(message_of(huge), Catch::Contains("sizes: expected at most"));
  // 1 GiB announced, nothing there.
  CHECK_THAT(message_of(bytes({0, 0, 8, 1, 0x40, 0, 0, 0})),
             Catch::Contains("expected 1073741824 bytes, found 0"));
  Limits small;
  small.max_bytes = 5;
  CHECK_THAT(message_of(kSmall, small), Catch::Contains("expected at most 5 bytes"));
}

TEST_CASE("IDX files are read plain and gzipped, whatever the name") {
  const test::ScratchDirectory scratch;
  const Tensor x = from_values<std::uint8_t>({1, 2, 3, 4, 5, 6}, {2, 3});
  data::save_idx(scratch.path() / "plain", x);
  data::save_idx(scratch.path() / "packed.gz", x);
  CHECK(test::slurp(scratch.path() / "plain") == kSmall);
  CHECK(data::is_gzip(as_bytes(test::slurp(scratch.path() / "packed.gz"))));
  std::filesystem::rename(scratch.path() / "packed.gz", scratch.path() / "packed");
  for (const char* name : {"plain", "packed"}) {
    CHECK(load_idx(scratch.path() / name).to_vector<std::uint8_t>() == x.to_vector<std::uint8_t>());
  }
  const Error error = test::error_of([&] { load_idx(scratch.path() / "absent"); });
  CHECK(error.kind() == ErrorKind::bad_input);
  CHECK_THAT(error.what(), Catch::Contains("absent': No such file"));
  CHECK(test::error_of([&] { load_idx(scratch.path()); }).kind() == ErrorKind::bad_input);
}

TEST_CASE("gunzip joins members and refuses corrupt, short, padded and oversized streams") {
  const std::string text(100'000, 'a');
  const std::string packed = gzip(text);
  const auto text_of = [](const std::vector<std::byte>& b) {
    return std::string(reinterpret_cast<const char*>(b.data()), b.size());
  };
  CHECK(text_of(gunzip(as_bytes(packed), "x")) == text);
  CHECK(text_of(gunzip(as_bytes(gzip("one ") + gzip("") + gzip("two")), "x")) == "one two");
  CHECK(gunzip(as_bytes(gzip("")), "x").empty());
  CHECK(gzip(text, 9) == gzip(text, 9));
  CHECK_THROWS_AS(gzip(text, 10), Error);

  const auto refuse = [&](std::string stream, const Limits& limits, const char* reason) {
    const Error error = test::error_of([&] { gunzip(as_bytes(stream), "x.gz", limits); });
    CHECK(error.kind() == ErrorKind::bad_input);
    CHECK_THAT(error.what(), Catch::StartsWith("x.gz: offset") && Catch::Contains(reason));
  };
  refuse("plain text", {}, "gzip magic");
  refuse(packed + "garbage", {}, "expected no more bytes, found 7");
  std::string wrong_checksum = packed;
  wrong_checksum[packed.size() - 8] ^= 1;
  refuse(wrong_checksum, {}, "incorrect data check");
  Limits bomb;
  bomb.max_bytes = 99'999;
  refuse(packed, bomb, "expected at most 99999 bytes decompressed");
  bomb.max_bytes = 100'000;
  CHECK(gunzip(as_bytes(packed), "x", bomb).size() == 100'000);
}

TEST_CASE("parse_idx and gunzip survive every truncation and random mutations") {
  const auto parse = [](std::span<const std::byte> b) {
    Limits limits;
    limits.max_bytes = 1 << 20;
    parse_idx(b, "mutant", limits);
  };
  const std::string floats = encode_idx(from_values<float>({1, 2, 3, 4}, {2, 2}));
  for (const std::string& valid : {kSmall, floats}) {
    CHECK(test::every_truncation(valid, parse).accepted == 0);
    const auto counts = test::random_mutations(valid, 3000, parse);
    CHECK(counts.accepted > 0);
    CHECK(counts.refused > 0);
  }
  const auto unpack = [](std::span<const std::byte> b) {
    Limits limits;
    limits.max_bytes = 1 << 16;
    gunzip(b, "mutant", limits);
  };
  const std::string packed = gzip("some text, some text, and some more text") + gzip("end");
  // One truncation is valid: the one that leaves just the first member.
  CHECK(test::every_truncation(packed, unpack).accepted == 1);
  CHECK(test::random_mutations(packed, 3000, unpack).refused > 0);
}
