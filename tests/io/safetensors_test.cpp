#include "tensor/io/safetensors.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "tensor/ops/copy.h"
#include "tensor/ops/shape.h"
#include "tests/io/mutate.h"
#include "tests/io/scratch.h"

using namespace athanor;
using test::as_bytes;

namespace {

std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + header + data;
}

SafetensorsHeader parse(const std::string& bytes, const Limits& limits = {}) {
  return parse_safetensors_header(as_bytes(bytes), "m.safetensors", limits);
}

// The header is refused, with a message that contains `reason`.
void refuse(const std::string& header, const std::string& data, const std::string& reason) {
  INFO(header);
  const Error error = test::error_of([&] { parse(file_of(header, data)); });
  CHECK(error.kind() == ErrorKind::bad_input);
  CHECK_THAT(error.what(), Catch::StartsWith("m.safetensors: offset ") && Catch::Contains(reason));
}

const std::string kEntry = R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})";

Tensor random_bits(DType dtype, const Shape& shape) {
  Tensor t = zeros(shape, dtype);
  auto* bytes = static_cast<unsigned char*>(t.raw());
  for (std::int64_t i = 0; i < t.numel() * size_of(dtype); ++i) {
    bytes[i] = static_cast<unsigned char>(dtype == DType::boolean ? i % 2 : i * 37 + 11);
  }
  return t;
}

std::string bits_of(const Tensor& t) {
  return {static_cast<const char*>(t.raw()),
          static_cast<std::size_t>(t.numel() * size_of(t.dtype()))};
}

}  // namespace

TEST_CASE("a file as the reference implementation writes it is read") {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}   )";
  std::string data(16, '\0');
  const float values[2] = {1.5f, -2};
  const std::int64_t scalar_value = -7;
  std::memcpy(data.data(), values, 8);
  std::memcpy(data.data() + 8, &scalar_value, 8);
  const test::ScratchDirectory scratch;
  test::spill(scratch.path() / "m", file_of(header, data));
  const auto [tensors, metadata] = load_safetensors(scratch.path() / "m");
  CHECK(metadata == SafetensorsMetadata{{"format", "pt"}});
  REQUIRE(tensors.size() == 2);
  CHECK(tensors.at("b").to_vector<float>() == std::vector<float>{1.5f, -2});
  CHECK(tensors.at("b").shape() == Shape{1, 2});
  CHECK(tensors.at("a").shape() == Shape{});
  CHECK(tensors.at("a").item() == -7);
}

TEST_CASE("every dtype, shape and stride round-trips bit by bit; equal input gives equal bytes") {
  NamedTensors tensors;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    tensors[str("layer.", name_of(dtype))] = random_bits(dtype, {3, 5});
  }
  tensors["scalar"] = scalar(2.5);
  tensors["empty"] = zeros({4, 0, 2});
  tensors["strided"] = transpose(random_bits(DType::i32, {7, 3}));
  tensors["größe \"q\" \\ \n"] = ones({1});
  const SafetensorsMetadata metadata{{"architecture", R"({"kind":"mlp","hidden":[64]})"},
                                     {"note", "tab\t, quote \", 零 😀"}};
  const test::ScratchDirectory scratch;
  save_safetensors(scratch.path() / "a", tensors, metadata);
  save_safetensors(scratch.path() / "b", tensors, metadata);
  CHECK(test::slurp(scratch.path() / "a") == test::slurp(scratch.path() / "b"));

  const SafetensorsFile file(scratch.path() / "a");
  CHECK(file.metadata() == metadata);
  REQUIRE(file.entries().size() == tensors.size());
  for (const auto& [name, expected] : tensors) {
    INFO(name);
    REQUIRE(file.contains(name));
    const SafetensorsEntry& entry = file.entries().at(name);
    CHECK(entry.begin % static_cast<std::uint64_t>(size_of(entry.dtype)) == 0);
    const Tensor read = file.tensor(name);
    CHECK(read.shape() == expected.shape());
    CHECK(read.dtype() == expected.dtype());
    CHECK(bits_of(read) == bits_of(contiguous(expected)));
  }
  const Error error = test::error_of([&] { file.tensor("absent"); });
  CHECK(error.kind() == ErrorKind::bad_input);
  CHECK_THAT(error.what(), Catch::Contains("\"absent\""));
}

TEST_CASE("an empty file of tensors round-trips, with and without metadata") {
  const test::ScratchDirectory scratch;
  save_safetensors(scratch.path() / "m", {});
  CHECK(test::slurp(scratch.path() / "m") == file_of("{}      ", ""));
  CHECK(load_safetensors(scratch.path() / "m").first.empty());
  save_safetensors(scratch.path() / "m", {}, {{"k", "v"}});
  CHECK(load_safetensors(scratch.path() / "m").second.at("k") == "v");
}

TEST_CASE("what cannot be written is refused, and the old file stays") {
  const test::ScratchDirectory scratch;
  const auto path = scratch.path() / "m";
  save_safetensors(path, {{"x", ones({2})}});
  const std::string before = test::slurp(path);
  CHECK_THROWS_AS(save_safetensors(path, {{"__metadata__", ones({2})}}), Error);
  CHECK_THROWS_AS(save_safetensors(path, {{"x", Tensor()}}), Error);
  CHECK_THROWS_AS(save_safetensors(path, {{"\xff", ones({2})}}), Error);
  CHECK_THROWS_AS(save_safetensors(path, {}, {{"k", "\xc0\x80"}}), Error);
  CHECK(test::slurp(path) == before);
  CHECK(scratch.file_count() == 1);
}

TEST_CASE("lengths that do not fit are refused before anything is allocated") {
  const Error empty = test::error_of([] { parse(""); });
  CHECK_THAT(empty.what(), Catch::Contains("header length: expected 8 bytes, found 0"));
  const Error huge = test::error_of([] { parse(std::string(8, '\xff')); });
  CHECK_THAT(huge.what(), Catch::Contains("header length: expected at most 104857600"));
  const Error longer = test::error_of([] { parse(std::string("\x09\0\0\0\0\0\0\0{}", 10)); });
  CHECK_THAT(longer.what(), Catch::Contains("header: expected 9 bytes, found 2"));
  Limits limits;
  limits.max_tensors = 1;
  const std::string two =
      R"({"a":)" + kEntry + R"(,"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})";
  CHECK(parse(file_of(two, "xy")).entries.size() == 2);
  CHECK_THROWS_AS(parse(file_of(two, "xy"), limits), Error);
}

TEST_CASE("headers that are not strict JSON of the right form are refused") {
  const auto tensor = [](const std::string& entry) { return R"({"a":)" + entry + '}'; };
  parse(file_of(tensor(kEntry), "xy"));  // the form that the following spoil

  refuse(" {}", "", "expected '{' as its first byte");
  refuse("{} x", "", "only white space, found 'x'");
  refuse("{", "", "found the end");
  refuse(R"({"a":)" + kEntry + ",}", "xy", "expected '\"', found '}'");
  refuse(R"({"a":)" + kEntry + R"(,"a":)" + kEntry + '}', "xy", "\"a\" twice");
  refuse(R"({"__metadata__":{},"__metadata__":{}})", "", "\"__metadata__\" twice");
  refuse(R"({"__metadata__":{"k":"1","k":"2"}})", "", "\"k\" twice");
  refuse(R"({"__metadata__":{"k":1}})", "", "expected '\"', found '1'");
  refuse(R"({"a":[]})", "", "expected '{', found '['");
  refuse(tensor(R"({"dtype":"U8","shape":[2]})"), "xy", "not all of them");
  refuse(tensor(R"({"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]})"), "xy",
         "\"dtype\" twice");
  refuse(tensor(R"({"dtype":"U8","shape":[2],"data_offsets":[0,2],"extra":1})"), "xy", "\"extra\"");
  refuse(tensor(R"({"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]})"), "xy", "\"F8_E4M3\"");
  for (const char* size : {"-2", "2.0", "2e0", "02", "9223372036854775808", "\"2\"", "null", ""}) {
    refuse(tensor(str(R"({"dtype":"U8","shape":[)", size, R"(,1],"data_offsets":[0,2]})")), "xy",
           "tensor \"a\": expected");
  }
  refuse(tensor(R"({"dtype":"U8","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,2]})"), "xy",
         "rank <= 8");
  refuse(tensor(R"({"dtype":"U8","shape":[[2]],"data_offsets":[0,2]})"), "xy", "found '['");
  refuse("{\"a\n\":1}", "", "no control character");
  refuse("{\"\xc3\x28\":1}", "", "expected UTF-8");
  refuse(R"({"\ud800":1})", "", "surrogate");
  refuse(R"({"\q":1})", "", "escape sequence");
}

TEST_CASE("data that do not fill the file exactly are refused") {
  const auto header = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + b + "}}";
  };
  CHECK(parse(file_of(header("[2,4]", "[0,2]"), "wxyz")).entries.at("b").begin <
        parse(file_of(header("[2,4]", "[0,2]"), "wxyz")).entries.at("a").begin);
  refuse(header("[0,2]", "[1,3]"), "wxy", "without gap or overlap");
  refuse(header("[0,2]", "[0,2]"), "wx", "without gap or overlap");
  refuse(header("[0,2]", "[3,5]"), "vwxyz", "without gap or overlap");
  refuse(header("[1,3]", "[3,5]"), "vwxyz", "without gap or overlap");
  refuse(header("[0,2]", "[2,4]"), "wxyz!", "expected the end of the file, found more bytes: 1");
  refuse(header("[0,2]", "[2,4]"), "wxy", "data_offsets in order and <= 3");
  refuse(header("[2,0]", "[2,4]"), "wxyz", "data_offsets in order");
  refuse(header("[0,3]", "[3,5]"), "vwxyz", "the bytes of [2] u8, found 3 bytes");
  refuse(R"({"a":{"dtype":"F64","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})", "",
         "the bytes of [4294967296, 4294967296, 0] f64");
}

TEST_CASE("escapes in names are resolved") {
  const SafetensorsHeader header =
      parse(file_of(R"({"__metadata__":{"\u00e9\ud83d\ude00":"\"\\\/\b\f\n\r\t\u0000"}})", ""));
  CHECK(header.metadata.at("é😀") == std::string("\"\\/\b\f\n\r\t\0", 9));
}

TEST_CASE("a bool that is neither 0 nor 1 is refused when it is read") {
  const test::ScratchDirectory scratch;
  test::spill(scratch.path() / "m",
              file_of(R"({"x":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", "\x01\x02"));
  const SafetensorsFile file(scratch.path() / "m");
  CHECK_THROWS_WITH(file.tensor("x"), Catch::Contains("expected 0 or 1 for a bool, found 2"));
}

TEST_CASE("the safetensors parser survives every truncation and random mutations") {
  const std::string header =
      R"({"__metadata__":{"k":"v\u00e9"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";
  const std::string valid = file_of(header, std::string(11, 'x'));
  const auto parse_bytes = [](std::span<const std::byte> bytes) {
    for (const auto& item : parse_safetensors_header(bytes, "mutant").entries) {
      // Every accepted entry lies inside of the file.
      REQUIRE(item.second.begin <= item.second.end);
      REQUIRE(item.second.end <= bytes.size());
    }
  };
  CHECK(test::every_truncation(valid, parse_bytes).accepted == 0);
  const auto counts = test::random_mutations(valid, 20'000, parse_bytes);
  CHECK(counts.accepted > 0);
  CHECK(counts.refused > 0);
}
