// What the process keeps for each device: stream, allocator, limits, and the thread's choice of the
// current device.
#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "tensor/backend/cuda/block_allocator.h"
#include "tensor/backend/cuda/pinned_pool.h"
#include "tensor/backend/cuda/stream.h"

namespace athanor::cuda {

// One stream a device for the whole process: work of all threads runs in one order, so freed memory
// can be reused at once. Never destroyed, since the driver may be gone at exit.
struct Context {
  explicit Context(int index);

  int index;
  std::string name;
  DeviceLimits limits;
  cudaStream_t stream = nullptr;
  BlockAllocator allocator;
  PinnedPool pinned;
  std::int32_t* index_error = nullptr;  // on the device
  std::int32_t* host_result = nullptr;  // pinned: index_error as of the last copy to the host
  std::mutex host_result_mutex;
  std::atomic<int> pool{0};  // of new blocks: not 0 while a graph is captured
};

// Number of usable devices; 0 without a driver. `absent_reason` says why.
int device_count();
std::string absent_reason();

// The context of a device in [0, device_count()), created at its first use.
Context& context(int index);
// The same, or null before its first use.
const Context* context_in_use(int index);
// Makes the device this thread's current one.
void make_current(int index);
Context& current_context();

// Waits for the device's stream and throws what its kernels reported. Counted.
void synchronize(Context& c);

struct RuntimeCounters {
  std::atomic<std::int64_t> launches{0}, synchronizations{0}, copies_to_device{0},
      copies_to_host{0};
};
RuntimeCounters& runtime_counters();

}  // namespace athanor::cuda
