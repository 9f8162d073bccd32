#include "data/npz.h"

#include <catch2/catch.hpp>

#include "data/teacher_outputs.h"
#include "tensor/io/npy.h"
#include "tensor/io/safetensors.h"
#include "tests/io/mutate.h"
#include "tests/io/scratch.h"

using namespace athanor;
using namespace athanor::data;
using athanor::test::error_of;

namespace {

std::map<std::string, Tensor> sample() {
  return {{"a", from_values<float>({1.5f, -2, 3, 4}, {2, 2})},
          {"ids", from_values<std::int64_t>({7, 9}, {2})},
          {"deep/b", from_values<std::uint8_t>({1, 2, 3}, {3})}};
}

}  // namespace

TEST_CASE("NPZ files go there and back, stored and deflated, with equal bytes each time") {
  const test::ScratchDirectory scratch;
  const auto path = scratch.path() / "x.npz";
  for (const bool compressed : {false, true}) {
    save_npz(path, sample(), compressed);
    const std::string bytes = test::slurp(path);
    save_npz(path, sample(), compressed);
    CHECK(test::slurp(path) == bytes);
    const auto read = load_npz(path);
    REQUIRE(read.size() == 3);
    CHECK(read.at("a").to_vector<float>() == std::vector<float>{1.5f, -2, 3, 4});
    CHECK(read.at("a").shape() == Shape{2, 2});
    CHECK(read.at("ids").to_vector<std::int64_t>() == std::vector<std::int64_t>{7, 9});
    CHECK(read.at("deep/b").dtype() == DType::u8);
  }
}

TEST_CASE("damaged NPZ files are refused") {
  const test::ScratchDirectory scratch;
  const auto path = scratch.path() / "x.npz";
  save_npz(path, sample(), true);
  const std::string bytes = test::slurp(path);
  Limits limits;
  limits.max_bytes = 1 << 20;
  const auto parse = [&](std::span<const std::byte> b) { parse_npz(b, "x.npz", limits); };
  CHECK(test::every_truncation(bytes, parse).accepted == 0);
  CHECK(test::random_mutations(bytes, 1500, parse).refused > 500);
  CHECK_THAT(error_of([&] { parse_npz(test::as_bytes("no zip"), "x.npz"); }).what(),
             Catch::StartsWith("x.npz: offset 0, archive: expected a zip archive"));
  limits.max_bytes = 200;
  CHECK_THAT(error_of([&] { parse_npz(test::as_bytes(bytes), "x.npz", limits); }).what(),
             Catch::Contains("further bytes"));
}

TEST_CASE("a teacher's outputs are found by record id") {
  const test::ScratchDirectory scratch;
  const Tensor values = from_values<float>({1, 2, 3, 4, 5, 6}, {3, 2});
  const auto npy = scratch.path() / "t.npy", npz = scratch.path() / "t.npz",
             st = scratch.path() / "t.safetensors";
  save_npy(npy, values);
  const std::vector<std::string> three = {"x", "y", "z"}, order = {"z", "x"};
  CHECK(outputs_for(load_teacher_outputs(npy), three, "t").to_vector<float>() ==
        std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK_THAT(error_of([&] { outputs_for(load_teacher_outputs(npy), order, "t.npy"); }).what(),
             Catch::Contains("expected 2 rows"));
  test::spill(scratch.path() / "t.ids", "x\ny\nz\n");
  CHECK(outputs_for(load_teacher_outputs(npy), order, "t").to_vector<float>() ==
        std::vector<float>{5, 6, 1, 2});
  const Tensor ids = from_values<std::int64_t>({30, 10, 20}, {3});
  save_npz(npz, {{"values", values}, {"ids", ids}});
  save_safetensors(st, {{"values", values}, {"ids", ids}});
  const std::vector<std::string> numbers = {"20", "30"};
  for (const auto& path : {npz, st}) {
    CHECK(outputs_for(load_teacher_outputs(path), numbers, "t").to_vector<float>() ==
          std::vector<float>{5, 6, 1, 2});
  }
  const std::vector<std::string> unknown = {"20", "99"};
  CHECK_THAT(error_of([&] { outputs_for(load_teacher_outputs(npz), unknown, "t.npz"); }).what(),
             Catch::Contains("found none for 1, the first \"99\""));
  test::spill(scratch.path() / "t.ids", "x\ny\nx\n");
  CHECK_THAT(error_of([&] { load_teacher_outputs(npy); }).what(),
             Catch::Contains("found \"x\" in rows 0 and 2"));
  save_npy(npy, from_values<float>({1, 2, NAN, 4}, {2, 2}));
  CHECK_THAT(error_of([&] { load_teacher_outputs(npy); }).what(),
             Catch::Contains("row 1, column 0: expected a finite number"));
}
