#include "tensor/storage.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include "tensor/base/error.h"

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

class CachingAllocator {
 public:
  std::byte* allocate(std::int64_t bytes) {
    const std::int64_t size = class_size(bytes);
    {
      std::lock_guard lock(mutex_);
      ++stats_.allocations;
      stats_.live += size;
      stats_.peak = std::max(stats_.peak, stats_.live);
      std::vector<std::byte*>& blocks = free_[index(size)];
      if (size <= kLargestCached && !blocks.empty()) {
        std::byte* block = blocks.back();
        blocks.pop_back();
        stats_.cached -= size;
        return block;
      }
    }
    void* block = std::aligned_alloc(kAlignment, static_cast<std::size_t>(size));
    if (!block) {
      release_all();
      block = std::aligned_alloc(kAlignment, static_cast<std::size_t>(size));
    }
    if (!block) {
      std::lock_guard lock(mutex_);
      stats_.live -= size;
      raise(ErrorKind::out_of_resources, "[allocate] out of memory: asked for ", size,
            " bytes with ", stats_.live, " live and ", stats_.peak, " at the peak");
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
  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak = stats_.live;
  }

 private:
  static std::size_t index(std::int64_t size) {
    const int octave = std::bit_width(static_cast<std::uint64_t>(size)) - 1;
    const std::int64_t quarter = ((size << 2) >> octave) & 3;
    return static_cast<std::size_t>(octave * 4 + quarter);
  }

  std::mutex mutex_;
  std::vector<std::byte*> free_[64 * 4];
  MemoryStats stats_;
};

// Never destroyed: tensors of static storage duration may outlive any other object.
CachingAllocator& allocator() {
  static CachingAllocator* instance = new CachingAllocator;
  return *instance;
}

}  // namespace

MemoryStats memory_stats() { return allocator().stats(); }
void reset_peak_memory() { allocator().reset_peak(); }
void empty_memory_cache() { allocator().release_all(); }

Storage::Storage(std::int64_t bytes, Device device) : bytes_(bytes), device_(device) {
  if (device.type != DeviceType::cpu) {
    fail("allocate", "device ", device, " is not part of this build; expected cpu");
  }
  data_ = allocator().allocate(bytes);
}

Storage::~Storage() { allocator().deallocate(data_, bytes_); }

}  // namespace athanor
