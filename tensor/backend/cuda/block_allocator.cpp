#include "tensor/backend/cuda/block_allocator.h"

#include <algorithm>
#include <vector>

#include "tensor/base/error.h"

namespace athanor::cuda {
namespace {

// More than any device has; larger sizes would overflow the rounding.
constexpr std::int64_t kLargestRequest = std::int64_t{1} << 60;

std::int64_t round_up(std::int64_t bytes, std::int64_t step) {
  return (bytes + step - 1) / step * step;
}

}  // namespace

BlockAllocator::BlockAllocator(Driver driver) : driver_(std::move(driver)) {}

BlockAllocator::~BlockAllocator() {
  for (const auto& [data, block] : blocks_) {
    if (block->segment > 0) driver_.release(data);
  }
}

std::byte* BlockAllocator::allocate(std::int64_t bytes, int pool) {
  if (bytes > kLargestRequest) return nullptr;
  const std::int64_t size = round_up(std::max<std::int64_t>(bytes, 1), kAlignment);
  const bool small = size <= kSmallRequest;
  std::lock_guard lock(mutex_);
  // A segment taken before the limit was set may have room that the limit does not allow.
  if (memory_.limit > 0 && memory_.live + size > memory_.limit) return nullptr;
  Block* block = take_cached(size, small, pool);
  if (!block) block = take_segment(size, small, pool);
  if (!block) return nullptr;
  split(block, size);
  block->free = false;
  ++memory_.allocations;
  memory_.live += block->bytes;
  memory_.cached -= block->bytes;
  memory_.peak = std::max(memory_.peak, memory_.live);
  return block->data;
}

// The smallest free block that fits, taken out of its set.
BlockAllocator::Block* BlockAllocator::take_cached(std::int64_t bytes, bool small, int pool) {
  FreeSet& free = free_[{pool, small}];
  Block key{nullptr, bytes, 0, pool, small, true, nullptr, nullptr};
  const auto found = free.lower_bound(&key);
  if (found == free.end()) return nullptr;
  Block* block = *found;
  free.erase(found);
  return block;
}

// A new segment as one block, counted as cached; null when there is no room.
BlockAllocator::Block* BlockAllocator::take_segment(std::int64_t bytes, bool small, int pool) {
  std::int64_t size = small ? kSmallSegment : kLargeSegment;
  if (bytes > kLargeSegment / 2) size = round_up(bytes, kRounding);
  const auto over = [&](std::int64_t more) {
    return memory_.limit > 0 && memory_.live + memory_.cached + more > memory_.limit;
  };
  if (over(size)) release_free_segments();
  if (over(size)) size = bytes;  // just what is needed, if the limit allows that
  if (over(size)) return nullptr;
  ++driver_allocations_;
  std::byte* data = driver_.allocate(size);
  if (!data) {
    release_free_segments();
    data = driver_.allocate(size);
  }
  if (!data && size > bytes) data = driver_.allocate(size = bytes);
  if (!data) return nullptr;
  auto block =
      std::make_unique<Block>(Block{data, size, size, pool, small, true, nullptr, nullptr});
  memory_.cached += size;
  return (blocks_[data] = std::move(block)).get();
}

// Cuts what `bytes` leaves of a block into a free block of its own, if it is worth one.
void BlockAllocator::split(Block* block, std::int64_t bytes) {
  const std::int64_t rest = block->bytes - bytes;
  if (rest < (block->small ? kAlignment : kSmallRequest)) return;
  auto tail = std::make_unique<Block>(
      Block{block->data + bytes, rest, 0, block->pool, block->small, true, block, block->next});
  if (block->next) block->next->previous = tail.get();
  block->next = tail.get();
  block->bytes = bytes;
  free_set(*tail).insert(tail.get());
  blocks_[tail->data] = std::move(tail);
}

// Joins two neighbours that are in no free set; `second` is gone afterwards.
BlockAllocator::Block* BlockAllocator::merge(Block* first, Block* second) {
  first->bytes += second->bytes;
  first->next = second->next;
  if (second->next) second->next->previous = first;
  blocks_.erase(second->data);
  return first;
}

void BlockAllocator::deallocate(std::byte* data) {
  std::lock_guard lock(mutex_);
  const auto found = blocks_.find(data);
  if (found == blocks_.end() || found->second->free) {
    fail("deallocate", "expected a live block of this device's allocator");
  }
  Block* block = found->second.get();
  memory_.live -= block->bytes;
  memory_.cached += block->bytes;
  block->free = true;
  const auto mergeable = [&](const Block* other) {
    return other && other->free && other->pool == block->pool;
  };
  if (mergeable(block->next)) {
    free_set(*block->next).erase(block->next);
    merge(block, block->next);
  }
  if (mergeable(block->previous)) {
    Block* before = block->previous;
    free_set(*before).erase(before);
    block = merge(before, block);
  }
  free_set(*block).insert(block);
}

void BlockAllocator::empty_cache() {
  std::lock_guard lock(mutex_);
  release_free_segments();
}

void BlockAllocator::release_free_segments() {
  for (auto& [key, free] : free_) {
    for (auto at = free.begin(); at != free.end();) {
      Block* block = *at;
      const bool whole = block->segment > 0 && block->bytes == block->segment;
      // A graph may still replay into the memory of its pool.
      if (!whole || block->pool != 0) {
        ++at;
        continue;
      }
      at = free.erase(at);
      memory_.cached -= block->bytes;
      driver_.release(block->data);
      blocks_.erase(block->data);
    }
  }
}

void BlockAllocator::dissolve_pool(int pool) {
  if (pool == 0) return;
  std::lock_guard lock(mutex_);
  for (const auto& [data, block] : blocks_) {
    if (block->pool == pool) block->pool = 0;
  }
  for (bool small : {false, true}) {
    const auto found = free_.find({pool, small});
    if (found == free_.end()) continue;
    free_[{0, small}].merge(found->second);
    free_.erase(found);
  }
}

DeviceMemory BlockAllocator::memory() const {
  std::lock_guard lock(mutex_);
  return memory_;
}

std::int64_t BlockAllocator::driver_allocations() const {
  std::lock_guard lock(mutex_);
  return driver_allocations_;
}

void BlockAllocator::reset_peak() {
  std::lock_guard lock(mutex_);
  memory_.peak = memory_.live;
}

void BlockAllocator::set_limit(std::int64_t bytes) {
  std::lock_guard lock(mutex_);
  memory_.limit = bytes;
}

}  // namespace athanor::cuda
