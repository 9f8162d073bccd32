// The one way to start an own kernel.
//
// With ATHANOR_CUDA_EMULATED the kernels are compiled for the CPU by tests/cuda/emulation, whose
// <cuda_runtime.h> stands in for CUDA's and provides emulation::launch().
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstddef>
#include <tuple>
#include <utility>

#include "tensor/backend/cuda/check.h"
#include "tensor/backend/cuda/stream.h"

namespace athanor::cuda {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

// Lets `kernel` use more than 48 KiB of dynamic shared memory.
void allow_shared_bytes(const void* kernel, std::size_t bytes);

// Counts a launch (RuntimeCounters::launches).
void count_launch() noexcept;

// Starts kernel<<<grid, block, shared_bytes, stream>>>(args...). Throws when the launch is refused;
// errors of the running kernel show at the next synchronisation.
template <class... Params, class... Args>
void launch_kernel(void (*kernel)(Params...), Dim3 grid, Dim3 block, std::size_t shared_bytes,
                   cudaStream_t stream, Args&&... args) {
  static_assert(sizeof...(Params) == sizeof...(Args));
  count_launch();
#ifdef ATHANOR_CUDA_EMULATED
  (void)stream;
  emulation::launch(kernel, dim3(grid.x, grid.y, grid.z), dim3(block.x, block.y, block.z),
                    shared_bytes, static_cast<Params>(std::forward<Args>(args))...);
#else
  const auto function = reinterpret_cast<const void*>(kernel);
  if (shared_bytes > 48 * 1024) allow_shared_bytes(function, shared_bytes);
  std::tuple<Params...> values{static_cast<Params>(std::forward<Args>(args))...};
  std::array<void*, sizeof...(Params) + 1> pointers{};
  std::size_t next = 0;
  std::apply([&](auto&... value) { ((pointers[next++] = &value), ...); }, values);
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(grid.x, grid.y, grid.z);
  config.blockDim = dim3(block.x, block.y, block.z);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  ATHANOR_CUDA_CHECK(cudaLaunchKernelExC(&config, function, pointers.data()));
#endif
}

}  // namespace athanor::cuda
