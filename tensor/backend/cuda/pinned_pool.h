// Page-locked host memory through which copies to the device go, so that the caller's memory is
// free on return and nothing waits.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace athanor::cuda {

class PinnedPool {
 public:
  // Starts a copy of `bytes` bytes of pageable memory to the device on `stream`. Waits only when
  // more than kLimit bytes are on their way.
  void copy_to_device(void* to, const void* from, std::int64_t bytes, cudaStream_t stream);

  static constexpr std::int64_t kChunk = std::int64_t{4} << 20;  // of one staging buffer
  static constexpr std::size_t kLimit = 16;                      // buffers

 private:
  struct Buffer {
    std::byte* data = nullptr;
    cudaEvent_t copied = nullptr;
  };
  // The buffer whose copy is over, a new one, or the oldest, waited for.
  Buffer& acquire();

  std::mutex mutex_;
  std::vector<Buffer> buffers_;
  std::size_t next_ = 0;  // the oldest
};

}  // namespace athanor::cuda
