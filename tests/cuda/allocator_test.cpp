// The CUDA backend's allocator over a driver that only counts.
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <vector>

#include "tensor/backend/cuda/block_allocator.h"
#include "tensor/base/error.h"

namespace athanor::cuda {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

// Hands out addresses, nothing behind them, up to `capacity`.
struct FakeDriver {
  std::int64_t capacity = 1024 * kMiB;
  std::int64_t used = 0;
  std::uintptr_t next = 1 << 20;
  std::map<std::byte*, std::int64_t> segments;

  BlockAllocator::Driver functions() {
    return {[this](std::int64_t bytes) -> std::byte* {
              if (used + bytes > capacity) return nullptr;
              auto* data = reinterpret_cast<std::byte*>(next);
              next += static_cast<std::uintptr_t>(bytes) + 4096;  // segments do not touch
              used += bytes;
              segments[data] = bytes;
              return data;
            },
            [this](std::byte* data) {
              const auto found = segments.find(data);
              REQUIRE(found != segments.end());
              used -= found->second;
              segments.erase(found);
            }};
  }
};

TEST_CASE("freed memory is reused without asking the driver again") {
  FakeDriver driver;
  BlockAllocator allocator(driver.functions());
  std::byte* a = allocator.allocate(5 * kMiB);
  allocator.deallocate(a);
  CHECK(allocator.allocate(5 * kMiB) == a);
  CHECK(allocator.driver_allocations() == 1);
  CHECK(allocator.memory().allocations == 2);
}

TEST_CASE("a segment is split, and its parts merge again") {
  FakeDriver driver;
  BlockAllocator allocator(driver.functions());
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 5; ++i) blocks.push_back(allocator.allocate(4 * kMiB));
  CHECK(driver.segments.size() == 1);  // 20 MiB hold five
  CHECK(allocator.memory().live == 20 * kMiB);
  CHECK(allocator.memory().cached == 0);
  // Freed in an order that merges with the block before, the one after, and both.
  for (int i : {1, 3, 2, 0, 4}) allocator.deallocate(blocks[static_cast<std::size_t>(i)]);
  CHECK(allocator.memory().live == 0);
  CHECK(allocator.allocate(20 * kMiB) == blocks[0]);
  CHECK(driver.segments.size() == 1);
}

TEST_CASE("small requests share segments of their own") {
  FakeDriver driver;
  BlockAllocator allocator(driver.functions());
  std::byte* first = allocator.allocate(1);
  CHECK(allocator.allocate(1) == first + BlockAllocator::kAlignment);
  CHECK(driver.used == BlockAllocator::kSmallSegment);
  allocator.allocate(2 * kMiB);
  CHECK(driver.used == BlockAllocator::kSmallSegment + BlockAllocator::kLargeSegment);
}

TEST_CASE("the smallest free block that fits is taken") {
  FakeDriver driver;
  BlockAllocator allocator(driver.functions());
  std::byte* large = allocator.allocate(64 * kMiB);
  std::byte* medium = allocator.allocate(32 * kMiB);
  allocator.deallocate(large);
  allocator.deallocate(medium);
  CHECK(allocator.allocate(30 * kMiB) == medium);
}

TEST_CASE("statistics: live, peak, cached") {
  FakeDriver driver;
  BlockAllocator allocator(driver.functions());
  std::byte* a = allocator.allocate(12 * kMiB);
  allocator.deallocate(allocator.allocate(30 * kMiB));
  CHECK(allocator.memory().live == 12 * kMiB);
  CHECK(allocator.memory().peak == 42 * kMiB);
  CHECK(allocator.memory().cached == 30 * kMiB);
  allocator.reset_peak();
  CHECK(allocator.memory().peak == 12 * kMiB);
  allocator.empty_cache();
  CHECK(allocator.memory().cached == 0);
  CHECK(driver.used == 12 * kMiB);
  allocator.deallocate(a);
}

TEST_CASE("without room the cache is given back and the request tried again") {
  FakeDriver driver;
  driver.capacity = 64 * kMiB;
  BlockAllocator allocator(driver.functions());
  allocator.deallocate(allocator.allocate(40 * kMiB));
  CHECK(allocator.allocate(60 * kMiB) != nullptr);  // 40 MiB of cache had to go
  CHECK(allocator.allocate(5 * kMiB) == nullptr);   // 4 MiB are left
  CHECK(allocator.allocate(3 * kMiB) != nullptr);   // less than a usual segment, but enough
}

TEST_CASE("a cap covers live and cached bytes") {
  FakeDriver driver;
  BlockAllocator allocator(driver.functions());
  allocator.set_limit(50 * kMiB);
  allocator.deallocate(allocator.allocate(40 * kMiB));
  std::byte* a = allocator.allocate(48 * kMiB);
  REQUIRE(a != nullptr);
  CHECK(driver.used <= 50 * kMiB);
  CHECK(allocator.allocate(4 * kMiB) == nullptr);
  allocator.deallocate(a);
  CHECK(allocator.allocate(4 * kMiB) != nullptr);
  CHECK(allocator.allocate(std::int64_t{1} << 61) == nullptr);
}

TEST_CASE("a graph's pool keeps its memory to itself until it is dissolved") {
  FakeDriver driver;
  BlockAllocator allocator(driver.functions());
  std::byte* captured = allocator.allocate(12 * kMiB, 1);
  allocator.deallocate(captured);
  std::byte* other = allocator.allocate(12 * kMiB);
  CHECK(other != captured);
  CHECK(allocator.allocate(12 * kMiB, 1) == captured);
  allocator.deallocate(captured);
  allocator.empty_cache();
  CHECK(driver.segments.count(captured) == 1);  // a replay still writes there
  std::byte* survivor = allocator.allocate(30 * kMiB, 1);
  allocator.dissolve_pool(1);
  CHECK(allocator.allocate(12 * kMiB) == captured);
  allocator.deallocate(survivor);
  CHECK(allocator.allocate(30 * kMiB) == survivor);
}

TEST_CASE("giving back what is not live is an error") {
  FakeDriver driver;
  BlockAllocator allocator(driver.functions());
  std::byte* a = allocator.allocate(100);
  CHECK_THROWS_AS(allocator.deallocate(a + 1), Error);
  allocator.deallocate(a);
  CHECK_THROWS_AS(allocator.deallocate(a), Error);
}

TEST_CASE("blocks never overlap and all memory comes back") {
  FakeDriver driver;
  driver.capacity = 256 * kMiB;
  BlockAllocator allocator(driver.functions());
  std::mt19937 random(1);
  std::map<std::byte*, std::int64_t> live;
  for (int step = 0; step < 5000; ++step) {
    if (live.size() > 40 || (!live.empty() && random() % 2)) {
      auto at = std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
      allocator.deallocate(at->first);
      live.erase(at);
      continue;
    }
    const std::int64_t bytes = std::int64_t{1} << (random() % 25);
    std::byte* data = allocator.allocate(bytes);
    if (!data) continue;
    const auto after = live.upper_bound(data);
    if (after != live.end()) REQUIRE(data + bytes <= after->first);
    if (after != live.begin()) {
      const auto before = std::prev(after);
      REQUIRE(before->first + before->second <= data);
    }
    live[data] = bytes;
  }
  for (const auto& [data, bytes] : live) allocator.deallocate(data);
  allocator.empty_cache();
  CHECK(allocator.memory().live == 0);
  CHECK(driver.used == 0);
}

}  // namespace
}  // namespace athanor::cuda
