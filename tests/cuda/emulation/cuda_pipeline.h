// Stands in for CUDA's <cuda_pipeline.h>: copies to shared memory that go on while their thread
// does. Until the thread has waited for a copy its destination holds NaN.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

namespace athanor::emulation {

void start_copy(void* to, const void* from, std::size_t bytes, const Place& place);
// Copies of the running thread since the last call become one batch.
void end_batch();
// Waits until at most `left` batches of the running thread are under way.
void wait_for_batches(std::size_t left);

}  // namespace athanor::emulation

inline void __pipeline_memcpy_async(void* to, const void* from, std::size_t bytes, ATHANOR_PLACE) {
  athanor::emulation::start_copy(to, from, bytes, place);
}
inline void __pipeline_commit() { athanor::emulation::end_batch(); }
inline void __pipeline_wait_prior(std::size_t left) { athanor::emulation::wait_for_batches(left); }
