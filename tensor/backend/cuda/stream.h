// What a kernel needs of the device that its thread works on: the stream, sizes, scratch memory.
//
// Kernels of a thread run in order on one stream a device, so a tensor's memory can be reused as
// soon as the tensor is gone: what is launched later runs later.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace athanor::cuda {

// The stream of this thread's current device; launch() makes the tensor's device current.
cudaStream_t current_stream();

// Sizes of the current device, read once.
struct DeviceLimits {
  int multiprocessors = 1;
  int threads_per_multiprocessor = 2048;
  std::size_t shared_per_block = 48 * 1024;  // at most, after opting in
  std::size_t l2_bytes = 0;
  int compute_capability = 0;  // 90 for sm_90
};
const DeviceLimits& device_limits();

// Scratch memory on the current device, 256-byte aligned, from the caching allocator. It may be
// given back while the kernels that use it still run: see above.
class Workspace {
 public:
  explicit Workspace(std::size_t bytes);
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_;
  int device_;
};

// A word in the current device's memory. A kernel that meets an index out of range skips it (reads
// count as 0) and stores 1 here; the next copy to the host throws. Thus nothing waits for a check.
std::int32_t* index_error();

}  // namespace athanor::cuda
