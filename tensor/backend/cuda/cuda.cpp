// The table of the CUDA backend and its runtime, as the rest of tensor sees them.
#include "tensor/backend/cuda/cuda.h"

#include "tensor/backend/cuda/check.h"
#include "tensor/backend/cuda/context.h"
#include "tensor/backend/cuda/graph.h"
#include "tensor/backend/cuda/profile.h"
#include "tensor/backend/device.h"

namespace athanor::cuda {
namespace {

Kernels build_table() {
  Kernels table;
  add_own_kernels(table);
  table.matmul = {matmul, kRealDTypes};
  table.conv2d = {conv2d, kRealDTypes};
  table.conv2d_backward_input = {conv2d_backward_input, kRealDTypes};
  table.conv2d_backward_weight = {conv2d_backward_weight, kRealDTypes};
  return table;
}

const Kernels& table() {
  static const Kernels kernels = build_table();
  return kernels;
}

std::string name_of_device(int index) { return context(index).name; }

std::byte* allocate(int index, std::int64_t bytes) {
  Context& c = context(index);
  return c.allocator.allocate(bytes, c.pool);
}

void deallocate(int index, std::byte* block) noexcept {
  context(index).allocator.deallocate(block);
}

void copy_to_device(int index, void* to, const void* from, std::int64_t bytes) {
  Context& c = context(index);
  make_current(index);
  if (c.pool != 0) {
    fail("to",
         "a step that is captured as a graph cannot copy from host memory: a replay would "
         "not see new values");
  }
  ++runtime_counters().copies_to_device;
  c.pinned.copy_to_device(to, from, bytes, c.stream);
}

void copy_to_host(int index, void* to, const void* from, std::int64_t bytes) {
  Context& c = context(index);
  make_current(index);
  if (c.pool != 0) {
    fail("to", "a step that is captured as a graph cannot read values: none are computed yet");
  }
  ++runtime_counters().copies_to_host;
  ATHANOR_CUDA_CHECK(
      cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, c.stream));
  synchronize(c);
}

void copy_between(int to_index, void* to, int from_index, const void* from, std::int64_t bytes) {
  if (to_index == from_index) {
    make_current(to_index);
    ATHANOR_CUDA_CHECK(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes),
                                       cudaMemcpyDeviceToDevice, context(to_index).stream));
    return;
  }
  // The source's stream copies once the target's is at this point, and the target's goes on when
  // the copy is over: both orders stay those of the program.
  Context &target = context(to_index), &source = context(from_index);
  cudaEvent_t ready = nullptr, copied = nullptr;
  make_current(to_index);
  ATHANOR_CUDA_CHECK(cudaEventCreateWithFlags(&ready, cudaEventDisableTiming));
  ATHANOR_CUDA_CHECK(cudaEventRecord(ready, target.stream));
  make_current(from_index);
  ATHANOR_CUDA_CHECK(cudaEventCreateWithFlags(&copied, cudaEventDisableTiming));
  ATHANOR_CUDA_CHECK(cudaStreamWaitEvent(source.stream, ready, 0));
  ATHANOR_CUDA_CHECK(cudaMemcpyPeerAsync(to, to_index, from, from_index,
                                         static_cast<std::size_t>(bytes), source.stream));
  ATHANOR_CUDA_CHECK(cudaEventRecord(copied, source.stream));
  make_current(to_index);
  ATHANOR_CUDA_CHECK(cudaStreamWaitEvent(target.stream, copied, 0));
  ATHANOR_CUDA_CHECK(cudaEventDestroy(ready));
  ATHANOR_CUDA_CHECK(cudaEventDestroy(copied));
}

DeviceCounters counters() {
  const RuntimeCounters& now = runtime_counters();
  DeviceCounters result{now.launches, now.synchronizations, now.copies_to_device,
                        now.copies_to_host, 0};
  for (int i = 0; i < device_count(); ++i) {
    if (const Context* c = context_in_use(i)) {
      result.driver_allocations += c->allocator.driver_allocations();
    }
  }
  return result;
}

}  // namespace

const DeviceBackend& device_backend() {
  static const DeviceBackend backend{
      table,
      device_count,
      absent_reason,
      name_of_device,
      make_current,
      allocate,
      deallocate,
      copy_to_device,
      copy_to_host,
      copy_between,
      [](int index) { synchronize(context(index)); },
      [](int index) { return context(index).allocator.memory(); },
      [](int index) { context(index).allocator.reset_peak(); },
      [](int index, std::int64_t bytes) { context(index).allocator.set_limit(bytes); },
      [](int index) { context(index).allocator.empty_cache(); },
      counters,
      [](int index) { begin_capture(context(index)); },
      [](int index) { return end_capture(context(index)); },
      [](int index) noexcept { abandon_capture(context(index)); },
      [](int index) { return context(index).pool != 0; },
      [](int index, void* graph) { launch_graph(context(index), graph); },
      [](int index, void* graph) noexcept { destroy_graph(context(index), graph); },
      begin_range,
      end_range,
      [](int index) { start_profile(context(index)); },
      [](int index) { return take_profile(context(index)); },
  };
  return backend;
}

}  // namespace athanor::cuda
