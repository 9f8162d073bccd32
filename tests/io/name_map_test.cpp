#include "tensor/io/name_map.h"

#include <catch2/catch.hpp>

#include "tests/io/scratch.h"

using namespace athanor;
using athanor::test::error_of;

namespace {

NameMap map_of(std::vector<NameRule> rules) { return NameMap(std::move(rules)); }

}  // namespace

TEST_CASE("rules rename by what their stars stood for") {
  const NameMap map = map_of({{"bert.encoder.layer.*.attention.*.weight", "layers.*.*.w"},
                              {"bert.**", "**"},
                              {"unused.**", ""}});
  CHECK(map.rename("bert.encoder.layer.11.attention.query.weight") == "layers.11.query.w");
  CHECK(map.rename("bert.pooler.dense.bias") == "pooler.dense.bias");
  CHECK(map.rename("head.weight") == "head.weight");
  CHECK(map.rename("bert.encoder.layer.0.attention.a.b.weight") ==
        "encoder.layer.0.attention.a.b.weight");
  CHECK(map_of({{"*a*", "*-*"}}).rename("bar") == "b-r");
  CHECK_THROWS_AS(map_of({{"a.*", "b"}}), Error);
}

TEST_CASE("tensors are renamed, transposed and dropped") {
  const NameMap map = NameMap::parse(
      "# GPT-2's matrices are stored as [in, out]\nh.*.c_fc.weight = layers.*.in.weight "
      "(transpose)\r\n"
      "\nh.*.c_fc.bias = layers.*.in.bias\nmask =\n",
      "map.txt");
  const NamedTensors renamed =
      map.apply({{"h.3.c_fc.weight", from_values<float>({1, 2, 3, 4, 5, 6}, {2, 3})},
                 {"h.3.c_fc.bias", from_values<float>({1, 2, 3}, {3})},
                 {"mask", from_values<float>({0}, {1})}});
  CHECK(renamed.size() == 2);
  CHECK(renamed.at("layers.3.in.weight").shape() == Shape{3, 2});
  CHECK(renamed.at("layers.3.in.weight").to_vector<float>() ==
        std::vector<float>{1, 4, 2, 5, 3, 6});
  const Tensor one = from_values<float>({1}, {1});
  CHECK_THAT(error_of([&] {
               map_of({{"a*",
                        "x"
                        "*"},
                       {"b", "x1"}})
                   .apply({{"a1", one}, {"b", one}});
             }).what(),
             Catch::Contains("found x1 twice"));
  CHECK_THAT(error_of([&] {
               map.apply({{"h.0.c_fc.weight", one}});
             }).what(),
             Catch::Contains("expected a matrix to transpose"));
  CHECK_THAT(error_of([&] { NameMap::parse("a = b\nc\n", "map.txt"); }).what(),
             Catch::Contains("map.txt: line 2: expected \"from = to\", found \"c\""));
}

TEST_CASE("differences are told in one line") {
  CHECK(describe_difference({}, {}) == "");
  CHECK(describe_difference({"a", "b"}, {"c", "d", "e"}, 2) ==
        "missing: a, b; unexpected: c, d and 1 more");
}
