// A block of memory shared by tensors, and what is known about all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/base/device.h"
#include "tensor/base/live_blocks.h"
#include "tensor/base/ref.h"

namespace athanor {

// Memory that tensors of this process hold, in bytes. Each thread keeps small free blocks (up to 32
// KiB each, 256 KiB of each size) for itself, so that a training step in steady state takes no
// lock.
struct MemoryStats {
  std::int64_t live = 0;         // in tensors now
  std::int64_t peak = 0;         // highest `live` since the last reset_peak_memory()
  std::int64_t cached = 0;       // kept by the allocator for reuse
  std::int64_t allocations = 0;  // requests served since the start
};

MemoryStats memory_stats();
void reset_peak_memory();

// What each operation's results hold now, the largest first. Walks over all live tensors.
struct OpMemory {
  std::string op;
  std::int64_t bytes = 0;
  std::int64_t tensors = 0;
};
std::vector<OpMemory> memory_by_op();
// The largest live tensors, at most `count`.
std::vector<LiveTensor> largest_live_tensors(std::size_t count);

// A cap on live + cached bytes; 0 means none. An allocation beyond it gives the cache back and, if
// that is not enough, throws the out-of-memory error, which names the largest live tensors. Throws
// when negative.
void set_memory_limit(std::int64_t bytes);
std::int64_t memory_limit();

// Gives cached blocks back to the system: all but the small ones that other threads keep.
void empty_memory_cache();

// Owns `bytes` bytes, 64-byte aligned, from the caching allocator. Views share one Storage.
//
// The version counts in-place writes; a tensor saved for backward remembers it, so that a stale one
// is noticed. `last_writer` names the op that wrote last.
class Storage final : public RefCounted {
 public:
  // `shape` and `dtype` describe it in statistics. Throws Error(out_of_resources) when the system
  // has no more memory, or the limit is reached.
  Storage(std::int64_t bytes, Device device, const Shape& shape, DType dtype);
  ~Storage() override;

  std::byte* data() { return data_; }
  std::int64_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  std::uint32_t version() const { return version_; }
  const char* last_writer() const { return last_writer_; }
  void bump_version(const char* writer) {
    ++version_;
    last_writer_ = writer;
  }

 private:
  std::byte* data_;
  std::int64_t bytes_;
  Device device_;
  std::uint32_t number_;  // in live_blocks.h
  std::uint32_t version_ = 0;
  const char* last_writer_ = "";
};

}  // namespace athanor
