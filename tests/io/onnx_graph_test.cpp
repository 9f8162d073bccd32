#include "tensor/io/onnx_graph.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/io/scratch.h"

using namespace athanor;

namespace {

// The fields of a protobuf message: number -> contents (varints as decimal text).
std::multimap<int, std::string> fields_of(std::string_view bytes) {
  std::multimap<int, std::string> fields;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      REQUIRE(at < bytes.size());
      const auto byte = static_cast<unsigned char>(bytes[at++]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.size()) {
    const std::uint64_t key = varint();
    std::string content;
    if ((key & 7) == 0) {
      content = std::to_string(varint());
    } else {
      const std::size_t length = (key & 7) == 5 ? 4 : varint();
      REQUIRE(at + length <= bytes.size());
      content = bytes.substr(at, length);
      at += length;
    }
    fields.emplace(static_cast<int>(key >> 3), content);
  }
  return fields;
}

std::string only(const std::multimap<int, std::string>& fields, int number) {
  REQUIRE(fields.count(number) == 1);
  return fields.find(number)->second;
}

}  // namespace

TEST_CASE("a graph is encoded as onnx.proto says") {
  OnnxGraph graph("test");
  graph.input("x", DType::f32, {"batch", 300});
  const std::string w = graph.constant("w", from_values<float>({1, 2, 3, 4, 5, 6}, {2, 3}));
  graph.node_as("y", "Gemm", {"x", w}, {{"transB", std::int64_t{1}}, {"alpha", 0.5}});
  graph.output("y", DType::f32, {"batch", 2});
  graph.metadata("class_0", "cat");
  const auto model = fields_of(graph.encode());
  CHECK(only(model, 1) == "8");
  CHECK(only(fields_of(only(model, 8)), 2) == "17");
  CHECK(only(fields_of(only(model, 14)), 2) == "cat");
  const auto g = fields_of(only(model, 7));
  const auto node = fields_of(only(g, 1));
  CHECK(node.count(1) == 2);
  CHECK(only(node, 2) == "y");
  CHECK(only(node, 4) == "Gemm");
  CHECK(node.count(5) == 2);
  const auto tensor = fields_of(only(g, 5));
  CHECK(tensor.count(1) == 2);
  CHECK(only(tensor, 2) == "1");
  CHECK(only(tensor, 8) == "w");
  CHECK(only(tensor, 9).size() == 24);
  const auto input = fields_of(only(g, 11));
  const auto type = fields_of(only(fields_of(only(input, 2)), 1));
  const auto shape = fields_of(only(type, 2));
  auto axis = shape.find(1);
  CHECK(only(fields_of(axis->second), 2) == "batch");
  CHECK(only(fields_of((++axis)->second), 1) == "300");
  CHECK_THROWS_AS(graph.constant("w", from_values<float>({1}, {1})), Error);
}
