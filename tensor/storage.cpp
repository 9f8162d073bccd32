#include "tensor/storage.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "tensor/backend/device.h"
#include "tensor/base/error.h"
#include "tensor/devices.h"

namespace athanor {
namespace {

constexpr std::int64_t kAlignment = 64;
// Blocks above this size go straight back to the system when they are freed.
constexpr std::int64_t kLargestCached = std::int64_t{1} << 28;

// Size classes: four steps an octave, so that at most a fifth of a block is unused.
std::int64_t class_size(std::int64_t bytes) {
  if (bytes <= kAlignment) return kAlignment;
  const int octave = std::bit_width(static_cast<std::uint64_t>(bytes - 1)) - 1;
  const std::int64_t step = std::max<std::int64_t>(kAlignment, (std::int64_t{1} << octave) / 4);
  return (bytes + step - 1) / step * step;
}

// More than any machine has; larger sizes would overflow the arithmetic above.
constexpr std::int64_t kLargestBlock = std::int64_t{1} << 60;

class CachingAllocator {
 public:
  // Null when there is no more memory.
  std::byte* allocate(std::int64_t bytes) {
    if (bytes > kLargestBlock) return nullptr;
    const std::int64_t size = class_size(bytes);
    bool over = false;
    {
      std::lock_guard lock(mutex_);
      std::vector<std::byte*>& blocks = free_[index(size)];
      if (size <= kLargestCached && !blocks.empty()) {
        std::byte* block = blocks.back();
        blocks.pop_back();
        stats_.cached -= size;
        count(size);
        return block;
      }
      over = limit_ > 0 && stats_.live + stats_.cached + size > limit_;
      if (over && stats_.live + size > limit_) return nullptr;
      count(size);
    }
    if (over) release_all();
    void* block = std::aligned_alloc(kAlignment, static_cast<std::size_t>(size));
    if (!block) {
      release_all();
      block = std::aligned_alloc(kAlignment, static_cast<std::size_t>(size));
    }
    if (!block) {
      std::lock_guard lock(mutex_);
      stats_.live -= size;
    }
    return static_cast<std::byte*>(block);
  }

  void deallocate(std::byte* block, std::int64_t bytes) noexcept {
    const std::int64_t size = class_size(bytes);
    {
      std::lock_guard lock(mutex_);
      stats_.live -= size;
      if (size <= kLargestCached) {
        try {
          free_[index(size)].push_back(block);
          stats_.cached += size;
          return;
        } catch (const std::bad_alloc&) {
          // No room to remember the block: give it back instead.
        }
      }
    }
    std::free(block);
  }

  void release_all() {
    std::lock_guard lock(mutex_);
    for (std::vector<std::byte*>& blocks : free_) {
      for (std::byte* block : blocks) std::free(block);
      blocks.clear();
    }
    stats_.cached = 0;
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }
  void set_limit(std::int64_t bytes) {
    std::lock_guard lock(mutex_);
    limit_ = bytes;
  }
  std::int64_t limit() {
    std::lock_guard lock(mutex_);
    return limit_;
  }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak = stats_.live;
  }

 private:
  void count(std::int64_t size) {
    ++stats_.allocations;
    stats_.live += size;
    stats_.peak = std::max(stats_.peak, stats_.live);
  }
  static std::size_t index(std::int64_t size) {
    const int octave = std::bit_width(static_cast<std::uint64_t>(size)) - 1;
    const std::int64_t quarter = ((size << 2) >> octave) & 3;
    return static_cast<std::size_t>(octave * 4 + quarter);
  }

  std::mutex mutex_;
  std::vector<std::byte*> free_[64 * 4];
  MemoryStats stats_;
  std::int64_t limit_ = 0;  // 0: none
};

// Never destroyed: tensors of static storage duration may outlive any other object.
CachingAllocator& allocator() {
  static CachingAllocator* instance = new CachingAllocator;
  return *instance;
}

[[noreturn]] void out_of_memory(std::int64_t bytes, Device device, const Shape& shape,
                                DType dtype) {
  const MemoryStats stats = memory_stats(device);
  const std::int64_t limit = memory_limit(device);
  std::string text =
      str("[allocate] out of memory on ", device, ": asked for ", bytes, " bytes (", shape, " ",
          dtype, ") with ", stats.live, " live and ", stats.peak, " at the peak");
  if (limit > 0) text += str(", the limit is ", limit);
  const std::vector<LiveTensor> largest = largest_live_tensors(5);
  for (std::size_t i = 0; i < largest.size(); ++i) {
    const LiveTensor& t = largest[i];
    text += str(i == 0 ? "; largest live tensors: " : ", ", t.shape, " ", t.dtype, " ", t.bytes,
                " bytes by ", t.op);
  }
  throw Error(text, ErrorKind::out_of_resources);
}

}  // namespace

MemoryStats memory_stats() { return allocator().stats(); }
void reset_peak_memory() { allocator().reset_peak(); }
void empty_memory_cache() { allocator().release_all(); }

MemoryStats memory_stats(Device device) {
  if (device.type == DeviceType::cpu) return allocator().stats();
  const DeviceMemory m = backend_of("memory_stats", device).memory(device.index);
  return {m.live, m.peak, m.cached, m.allocations};
}

void reset_peak_memory(Device device) {
  if (device.type == DeviceType::cpu) return allocator().reset_peak();
  backend_of("reset_peak_memory", device).reset_peak(device.index);
}

void empty_memory_cache(Device device) {
  if (device.type == DeviceType::cpu) return allocator().release_all();
  backend_of("empty_memory_cache", device).empty_cache(device.index);
}

std::vector<OpMemory> memory_by_op() {
  std::map<std::string, OpMemory> by_op;
  for (const LiveTensor& t : detail::live_blocks()) {
    OpMemory& entry = by_op[t.op];
    entry.op = t.op;
    entry.bytes += t.bytes;
    ++entry.tensors;
  }
  std::vector<OpMemory> sorted;
  for (const auto& [op, entry] : by_op) sorted.push_back(entry);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const OpMemory& a, const OpMemory& b) { return a.bytes > b.bytes; });
  return sorted;
}

std::vector<LiveTensor> largest_live_tensors(std::size_t count) {
  std::vector<LiveTensor> all = detail::live_blocks();
  std::stable_sort(all.begin(), all.end(),
                   [](const LiveTensor& a, const LiveTensor& b) { return a.bytes > b.bytes; });
  all.resize(std::min(count, all.size()));
  return all;
}

void set_memory_limit(std::int64_t bytes) {
  if (bytes < 0) fail("set_memory_limit", "expected bytes >= 0, got ", bytes);
  allocator().set_limit(bytes);
}
std::int64_t memory_limit() { return allocator().limit(); }

void set_memory_limit(std::int64_t bytes, Device device) {
  if (device.type == DeviceType::cpu) return set_memory_limit(bytes);
  if (bytes < 0) fail("set_memory_limit", "expected bytes >= 0, got ", bytes);
  backend_of("set_memory_limit", device).set_limit(device.index, bytes);
}

std::int64_t memory_limit(Device device) {
  if (device.type == DeviceType::cpu) return allocator().limit();
  return backend_of("memory_limit", device).memory(device.index).limit;
}

namespace {

std::byte* allocate_on(Device device, std::int64_t bytes) {
  if (device.type == DeviceType::cpu) return allocator().allocate(bytes);
  return backend_of("allocate", device).allocate(device.index, bytes);
}

void deallocate_on(Device device, std::byte* block, std::int64_t bytes) noexcept {
  if (device.type == DeviceType::cpu) return allocator().deallocate(block, bytes);
  cuda_backend()->deallocate(device.index, block);
}

}  // namespace

Storage::Storage(std::int64_t bytes, Device device, const Shape& shape, DType dtype)
    : bytes_(bytes), device_(device) {
  data_ = allocate_on(device, bytes);
  if (!data_) out_of_memory(bytes, device, shape, dtype);
  try {
    number_ = detail::note_block(bytes, shape, dtype);
  } catch (...) {
    deallocate_on(device_, data_, bytes);
    throw;
  }
}

Storage::~Storage() {
  detail::forget_block(number_);
  deallocate_on(device_, data_, bytes_);
}

}  // namespace athanor
