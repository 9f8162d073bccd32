// The caching allocator of a device's memory: host-side bookkeeping over a driver that hands out
// segments. Free of CUDA, so that it is tested without a device.
//
// Segments are cut into blocks; a request takes the smallest free block that fits, its rest stays
// free, and free neighbours merge. Small requests share segments of 2 MiB, so that they do not cut
// up the large ones. A freed block is reused at once: all work on a device runs in one order.
//
// Pools separate memory that must not mix: blocks that a captured graph writes belong to the
// graph's pool until the graph is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>

#include "tensor/backend/device.h"

namespace athanor::cuda {

class BlockAllocator {
 public:
  static constexpr std::int64_t kAlignment = 512;                       // and the smallest block
  static constexpr std::int64_t kSmallRequest = std::int64_t{1} << 20;  // up to here: shared
  static constexpr std::int64_t kSmallSegment = std::int64_t{2} << 20;
  static constexpr std::int64_t kLargeSegment = std::int64_t{20} << 20;  // for up to 10 MiB
  static constexpr std::int64_t kRounding = std::int64_t{2} << 20;       // of segments above

  struct Driver {
    std::function<std::byte*(std::int64_t bytes)> allocate;  // null when there is no more
    std::function<void(std::byte*)> release;
  };

  explicit BlockAllocator(Driver driver);
  ~BlockAllocator();  // gives everything back
  BlockAllocator(const BlockAllocator&) = delete;
  BlockAllocator& operator=(const BlockAllocator&) = delete;

  // Null when neither cache, driver nor limit allow it; the cache was given back then. Thread-safe,
  // as all here.
  std::byte* allocate(std::int64_t bytes, int pool = 0);
  // Throws for a pointer that allocate() did not return or that was given back already.
  void deallocate(std::byte* data);

  // Gives segments without a live block back to the driver.
  void empty_cache();
  // The pool's free memory joins pool 0, and so do its live blocks when they are freed.
  void dissolve_pool(int pool);

  DeviceMemory memory() const;
  std::int64_t driver_allocations() const;
  void reset_peak();
  // A cap on live + cached bytes; 0: none.
  void set_limit(std::int64_t bytes);

 private:
  struct Block {
    std::byte* data;
    std::int64_t bytes;
    std::int64_t segment;  // bytes of the whole segment, on its first block; 0 on the others
    int pool;
    bool small, free;
    Block *previous, *next;  // neighbours in the segment
  };
  struct BySize {
    bool operator()(const Block* a, const Block* b) const {
      return a->bytes != b->bytes ? a->bytes < b->bytes : std::less<>()(a->data, b->data);
    }
  };
  using FreeSet = std::set<Block*, BySize>;

  FreeSet& free_set(const Block& block) { return free_[{block.pool, block.small}]; }
  Block* take_cached(std::int64_t bytes, bool small, int pool);
  Block* take_segment(std::int64_t bytes, bool small, int pool);
  void split(Block* block, std::int64_t bytes);
  Block* merge(Block* first, Block* second);
  void release_free_segments();

  Driver driver_;
  mutable std::mutex mutex_;
  std::map<std::pair<int, bool>, FreeSet> free_;
  std::unordered_map<std::byte*, std::unique_ptr<Block>> blocks_;
  DeviceMemory memory_;
  std::int64_t driver_allocations_ = 0;
};

}  // namespace athanor::cuda
