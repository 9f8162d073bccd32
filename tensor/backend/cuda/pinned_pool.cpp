#include "tensor/backend/cuda/pinned_pool.h"

#include <algorithm>
#include <cstring>

#include "tensor/backend/cuda/check.h"
#include "tensor/backend/cuda/context.h"

namespace athanor::cuda {

PinnedPool::Buffer& PinnedPool::acquire() {
  if (!buffers_.empty()) {
    Buffer& oldest = buffers_[next_];
    const cudaError_t status = cudaEventQuery(oldest.copied);
    if (status != cudaSuccess && status != cudaErrorNotReady) {
      ATHANOR_CUDA_CHECK(status);
    }
    if (status == cudaErrorNotReady && buffers_.size() == kLimit) {
      ++runtime_counters().synchronizations;
      ATHANOR_CUDA_CHECK(cudaEventSynchronize(oldest.copied));
    }
    if (status == cudaSuccess || buffers_.size() == kLimit) {
      next_ = (next_ + 1) % buffers_.size();
      return oldest;
    }
  }
  // Stands before the oldest, so that the order stays that of use.
  Buffer buffer;
  ATHANOR_CUDA_CHECK(cudaHostAlloc(reinterpret_cast<void**>(&buffer.data), kChunk, 0));
  ATHANOR_CUDA_CHECK(cudaEventCreateWithFlags(&buffer.copied, cudaEventDisableTiming));
  buffers_.insert(buffers_.begin() + static_cast<std::ptrdiff_t>(next_), buffer);
  Buffer& added = buffers_[next_];
  next_ = (next_ + 1) % buffers_.size();
  return added;
}

void PinnedPool::copy_to_device(void* to, const void* from, std::int64_t bytes,
                                cudaStream_t stream) {
  std::lock_guard lock(mutex_);
  for (std::int64_t at = 0; at < bytes; at += kChunk) {
    const auto count = static_cast<std::size_t>(std::min(kChunk, bytes - at));
    Buffer& buffer = acquire();
    std::memcpy(buffer.data, static_cast<const std::byte*>(from) + at, count);
    ATHANOR_CUDA_CHECK(cudaMemcpyAsync(static_cast<std::byte*>(to) + at, buffer.data, count,
                                       cudaMemcpyHostToDevice, stream));
    ATHANOR_CUDA_CHECK(cudaEventRecord(buffer.copied, stream));
  }
}

}  // namespace athanor::cuda
