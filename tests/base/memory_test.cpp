// What memory_stats() and its relatives say, the cap, and the error when it is reached.
#include <catch2/catch.hpp>

#include "tensor/ops.h"
#include "tensor/random.h"

using namespace athanor;
using Catch::Contains;

namespace {

OpMemory held_by(const std::string& op) {
  for (const OpMemory& entry : memory_by_op()) {
    if (entry.op == op) return entry;
  }
  return {op, 0, 0};
}

// Ends with the limit that was set before.
struct Limit {
  explicit Limit(std::int64_t bytes) { set_memory_limit(bytes); }
  ~Limit() { set_memory_limit(0); }
};

}  // namespace

TEST_CASE("live memory is counted by the operation that made it") {
  const Tensor a = ones({64, 64});
  const Tensor y = matmul(a, a);
  const Tensor z = exp(transpose(y));
  const Tensor copy = contiguous(transpose(a));  // an operation of its own
  CHECK(held_by("matmul").bytes == 4 * 64 * 64);
  CHECK(held_by("exp").bytes == 4 * 64 * 64);
  CHECK(held_by("contiguous").tensors == 1);
  CHECK(held_by("full").tensors == 1);
  const Tensor given = from_values<float>({1, 2}, {2});
  CHECK(held_by("from_values").bytes == 8);
  // A view holds no memory of its own; the block lives as long as any view.
  Tensor row = select(exp(a), 0, 3);
  CHECK(held_by("exp").tensors == 2);
  row = {};
  CHECK(held_by("exp").tensors == 1);
  CHECK(memory_by_op().front().bytes >= memory_by_op().back().bytes);
}

TEST_CASE("a new tensor belongs to the operation that writes it first") {
  Tensor x = empty({1000});
  CHECK(held_by("empty").bytes == 4000);
  fill_(x, 1);
  CHECK(held_by("empty").tensors == 0);
  CHECK(held_by("fill_").bytes == 4000);
}

TEST_CASE("the largest live tensors") {
  const Tensor small = ones({10}), large = zeros({100, 7}, DType::f64);
  const auto largest = largest_live_tensors(1);
  REQUIRE(largest.size() == 1);
  CHECK(largest[0].shape == Shape{100, 7});
  CHECK(largest[0].dtype == DType::f64);
  CHECK(largest[0].op == "full");
  CHECK(largest[0].bytes == 5600);
}

TEST_CASE("beyond the limit an allocation throws and names the largest live tensors") {
  const Tensor one = ones({1, 1}), held = exp(expand(one, {1000, 100}));
  empty_memory_cache();
  const Limit limit(1'000'000);
  CHECK(memory_limit() == 1'000'000);
  const std::int64_t live = memory_stats().live;
  try {
    zeros({1000, 200});
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::out_of_resources);
    CHECK_THAT(error.what(),
               Contains("asked for 800000 bytes ([1000, 200] f32)") &&
                   Contains("the limit is 1000000") &&
                   Contains("largest live tensors: [1000, 100] f32 400000 bytes by exp"));
  }
  CHECK(memory_stats().live == live);
  // What fits still goes, over and over: the cache is part of what the limit covers.
  for (std::int64_t n = 1; n <= 64; ++n) CHECK(zeros({n, 1000}).numel() == n * 1000);
  CHECK(memory_stats().live + memory_stats().cached <= 1'000'000);
  CHECK_THROWS_WITH(set_memory_limit(-1), Contains("expected bytes >= 0"));
}

TEST_CASE("a request that no machine can serve is the same error") {
  CHECK_THROWS_WITH(empty({std::int64_t{1} << 58}), Contains("out of memory on cpu: asked for"));
  CHECK_THROWS_WITH(empty({std::int64_t{1} << 60}, DType::i8), Contains("out of memory"));
  CHECK_THROWS_WITH(empty({std::int64_t{1} << 61}), Contains("expected fewer than 2^63 bytes"));
}

TEST_CASE("the peak and the cache") {
  empty_memory_cache();
  reset_peak_memory();
  const std::int64_t before = memory_stats().live;
  { const Tensor t = zeros({1 << 20}); }
  const MemoryStats stats = memory_stats();
  CHECK(stats.live == before);
  CHECK(stats.peak >= before + (4 << 20));
  CHECK(stats.cached >= 4 << 20);
  empty_memory_cache();
  CHECK(memory_stats().cached == 0);
}
