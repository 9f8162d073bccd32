// What a device other than the CPU provides besides its kernels: memory and copies.
//
// One such backend exists, CUDA. A build without it has no cuda_backend(), and every use of the
// device is an error that says so; tests install an emulation of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/base/device.h"

namespace athanor {

struct Kernels;

// Bytes on one device, as of MemoryStats in tensor/storage.h.
struct DeviceMemory {
  std::int64_t live = 0, peak = 0, cached = 0, allocations = 0, limit = 0;
};

// What the runtime did since the start, on all devices.
struct DeviceCounters {
  std::int64_t launches = 0;          // of own kernels
  std::int64_t synchronizations = 0;  // times the host waited for a device
  std::int64_t copies_to_device = 0;
  std::int64_t copies_to_host = 0;
  std::int64_t driver_allocations = 0;  // requests that the cache could not serve
};

// One operation's work on a device, in microseconds; `begin` counts from the start of the profile.
struct DeviceSpan {
  std::string op;
  double begin = 0, duration = 0;
};

// All functions are thread-safe; `index` is in [0, count()).
struct DeviceBackend {
  const Kernels& (*kernels)();
  int (*count)();           // usable devices
  std::string (*absent)();  // why there is none; empty when there is one
  std::string (*name)(int index);
  // Makes the device the one on which this thread's kernels run.
  void (*make_current)(int index);
  // Null when the device has no more memory, also after its cache was emptied. At least 256-byte
  // aligned.
  std::byte* (*allocate)(int index, std::int64_t bytes);
  void (*deallocate)(int index, std::byte* block) noexcept;
  // In the order of the kernels. `from` may be reused on return; nothing waits.
  void (*copy_to_device)(int index, void* to, const void* from, std::int64_t bytes);
  // Waits until `to` is written; throws what kernels reported until then.
  void (*copy_to_host)(int index, void* to, const void* from, std::int64_t bytes);
  // From one device's memory to that of another, or the same.
  void (*copy_between)(int to_index, void* to, int from_index, const void* from,
                       std::int64_t bytes);
  // Waits for everything started on the device; throws what kernels reported.
  void (*synchronize)(int index);
  DeviceMemory (*memory)(int index);
  void (*reset_peak)(int index);
  void (*set_limit)(int index, std::int64_t bytes);  // 0: none
  void (*empty_cache)(int index);
  DeviceCounters (*counters)();

  // Graphs (tensor/captured_step.h). Between begin and end, work on the device is recorded instead
  // of started; memory allocated meanwhile belongs to the graph. `end_capture` gives the graph, or
  // throws what went wrong; `abandon_capture` forgets what was recorded.
  void (*begin_capture)(int index);
  void* (*end_capture)(int index);
  void (*abandon_capture)(int index) noexcept;
  bool (*capturing)(int index);
  void (*launch_graph)(int index, void* graph);
  void (*destroy_graph)(int index, void* graph) noexcept;

  // Around the kernels of an operation, and nothing else in between: NVTX ranges, and events while
  // a profile is taken. Ranges do not nest.
  void (*begin_range)(int index, const char* op);
  void (*end_range)(int index) noexcept;
  // Measures the ranges from now on. take_profile() waits, gives them and stops.
  void (*start_profile)(int index);
  std::vector<DeviceSpan> (*take_profile)(int index);
};

// Null in a build without CUDA.
const DeviceBackend* cuda_backend();
// The backend, or Error(usage) "[op] device cuda:1 ..." that says why it cannot be used: not part
// of the build, no driver, or no such device.
const DeviceBackend& backend_of(const char* op, Device device);

// Whether f32 products and convolutions of the device may round their factors to TF32 (10 bits of
// mantissa, tensor cores). Off unless ATHANOR_TF32=1 or set here; the CPU never does.
void set_tf32(bool on);
bool tf32();

namespace detail {
// Replaces the backend, for tests; null restores the build's own. Returns the previous one.
const DeviceBackend* install_cuda_backend(const DeviceBackend* backend);
}  // namespace detail

}  // namespace athanor
