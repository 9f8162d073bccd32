#include "tensor/storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
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
  const int octave = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(bytes - 1))) - 1;
  const std::int64_t step = std::max<std::int64_t>(kAlignment, (std::int64_t{1} << octave) / 4);
  return (bytes + step - 1) & -step;  // a step is a power of two
}

// More than any machine has; larger sizes would overflow the arithmetic above.
constexpr std::int64_t kLargestBlock = std::int64_t{1} << 60;

constexpr std::size_t index_of(std::int64_t size) {
  const int octave = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(size))) - 1;
  const std::int64_t quarter = ((size << 2) >> octave) & 3;
  return static_cast<std::size_t>(octave * 4 + quarter);
}

// Memory of the system, null when there is none. Large blocks ask for huge pages: 2 MiB of a tensor
// then need one entry of the tables that translate addresses, not 512.
constexpr std::int64_t kHugePage = std::int64_t{2} << 20;
void* system_block(std::int64_t size) {
  const bool huge = size >= kHugePage;
  void* block = nullptr;
  if (posix_memalign(&block, static_cast<std::size_t>(huge ? kHugePage : kAlignment),
                     static_cast<std::size_t>(size)) != 0) {
    return nullptr;
  }
#if defined(MADV_HUGEPAGE)
  // A wish: where the system refuses it, the block stays as it is.
  if (huge) madvise(block, static_cast<std::size_t>(size & -kHugePage), MADV_HUGEPAGE);
#endif
  return block;
}

// A free block, linked through its own memory.
struct FreeBlock {
  FreeBlock* next;
};

// Small blocks that a thread freed and keeps, by size.
constexpr std::int64_t kLargestOwn = std::int64_t{32} << 10;
constexpr std::int64_t kOwnBytesASize = std::int64_t{256} << 10;
struct OwnBlocks {
  struct List {
    FreeBlock* first;
    std::int64_t bytes;
  };
  List lists[index_of(kLargestOwn) + 1];
  // Written by the thread alone, read by memory_stats() on any.
  std::atomic<std::int64_t> bytes, served;
  OwnBlocks* next;  // of another thread
  bool registered, closed;
};
constinit thread_local OwnBlocks own = {};

// Adds to a counter that only this thread writes.
void add_to(std::atomic<std::int64_t>& counter, std::int64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

class CachingAllocator {
 public:
  // Null when there is no more memory.
  std::byte* allocate(std::int64_t bytes) {
    if (bytes > kLargestBlock) return nullptr;
    const std::int64_t size = class_size(bytes);
    if (size <= kLargestOwn) {
      OwnBlocks::List& list = own.lists[index_of(size)];
      if (FreeBlock* block = list.first) {
        list.first = block->next;
        list.bytes -= size;
        add_to(own.bytes, -size);
        add_to(own.served, 1);
        add_live(size);
        return reinterpret_cast<std::byte*>(block);
      }
    }
    return allocate_shared(size);
  }

  void deallocate(std::byte* block, std::int64_t bytes) noexcept {
    const std::int64_t size = class_size(bytes);
    live_.fetch_sub(size, std::memory_order_relaxed);
    if (size <= kLargestOwn && !own.closed) {
      OwnBlocks::List& list = own.lists[index_of(size)];
      if (list.bytes + size <= kOwnBytesASize) {
        if (!own.registered) register_thread();
        list.first = ::new (block) FreeBlock{list.first};
        list.bytes += size;
        add_to(own.bytes, size);
        return;
      }
    }
    if (size <= kLargestCached) {
      const std::lock_guard lock(mutex_);
      free_[index_of(size)] = ::new (block) FreeBlock{free_[index_of(size)]};
      cached_ += size;
      return;
    }
    std::free(block);
  }

  // What the threads share, and what the calling thread keeps.
  void release_all() {
    const std::lock_guard lock(mutex_);
    for (FreeBlock*& first : free_) free_list(first);
    cached_ = 0;
    release_own();
  }

  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    MemoryStats stats;
    stats.live = live_.load(std::memory_order_relaxed);
    stats.peak = peak_.load(std::memory_order_relaxed);
    stats.cached = all_cached();
    stats.allocations = served_;
    for (const OwnBlocks* o = threads_; o; o = o->next) {
      stats.allocations += o->served.load(std::memory_order_relaxed);
    }
    return stats;
  }
  void set_limit(std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
  }
  std::int64_t limit() {
    const std::lock_guard lock(mutex_);
    return limit_;
  }
  void reset_peak() { peak_.store(live_.load()); }

 private:
  std::byte* allocate_shared(std::int64_t size) {
    bool over = false;
    {
      const std::lock_guard lock(mutex_);
      ++served_;
      FreeBlock*& first = free_[index_of(size)];
      if (size <= kLargestCached && first) {
        FreeBlock* block = first;
        first = block->next;
        cached_ -= size;
        add_live(size);
        return reinterpret_cast<std::byte*>(block);
      }
      const std::int64_t live = live_.load(std::memory_order_relaxed);
      if (limit_ > 0) {
        if (live + size > limit_) return nullptr;
        over = live + all_cached() + size > limit_;
      }
      add_live(size);
    }
    if (over) release_all();
    void* block = system_block(size);
    if (!block) {
      release_all();
      block = system_block(size);
    }
    if (!block) live_.fetch_sub(size, std::memory_order_relaxed);
    return static_cast<std::byte*>(block);
  }

  void add_live(std::int64_t size) {
    const std::int64_t live = live_.fetch_add(size, std::memory_order_relaxed) + size;
    std::int64_t peak = peak_.load(std::memory_order_relaxed);
    while (live > peak && !peak_.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
    }
  }
  // With the lock held, as the next ones.
  std::int64_t all_cached() const {
    std::int64_t bytes = cached_;
    for (const OwnBlocks* o = threads_; o; o = o->next) {
      bytes += o->bytes.load(std::memory_order_relaxed);
    }
    return bytes;
  }
  static void free_list(FreeBlock*& first) {
    while (FreeBlock* block = first) {
      first = block->next;
      std::free(block);
    }
  }
  static void release_own() {
    for (OwnBlocks::List& list : own.lists) {
      free_list(list.first);
      list.bytes = 0;
    }
    own.bytes.store(0, std::memory_order_relaxed);
  }

  struct AtThreadEnd {
    CachingAllocator* allocator = nullptr;
    ~AtThreadEnd() {
      if (allocator) allocator->forget_thread();
    }
  };
  void register_thread() noexcept {
    thread_local AtThreadEnd at_end;
    at_end.allocator = this;
    const std::lock_guard lock(mutex_);
    own.next = threads_;
    threads_ = &own;
    own.registered = true;
  }
  void forget_thread() {
    const std::lock_guard lock(mutex_);
    own.closed = true;  // what the thread's other objects free goes to the shared lists
    served_ += own.served.load(std::memory_order_relaxed);
    release_own();
    for (OwnBlocks** link = &threads_; *link; link = &(*link)->next) {
      if (*link != &own) continue;
      *link = own.next;
      break;
    }
  }

  std::atomic<std::int64_t> live_{0}, peak_{0};
  std::mutex mutex_;  // of all below
  FreeBlock* free_[64 * 4] = {};
  std::int64_t cached_ = 0, served_ = 0;
  OwnBlocks* threads_ = nullptr;
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
void empty_memory_cache() {
  allocator().release_all();
  detail::empty_pool();
}

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
