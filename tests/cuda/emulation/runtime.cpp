// What kernels ask of the CUDA runtime (tensor/backend/cuda/stream.h, launch.h), on the CPU.
#include <map>

#include "tensor/backend/cuda/launch.h"
#include "tests/cuda/emulation/guarded_memory.h"

namespace athanor::cuda {
namespace {

std::map<std::byte*, emulation::GuardedMemory>& workspaces() {
  static std::map<std::byte*, emulation::GuardedMemory> live;
  return live;
}

}  // namespace

cudaStream_t current_stream() { return nullptr; }

// A small device, so that grids are small and threads take several turns.
const DeviceLimits& device_limits() {
  static const DeviceLimits limits{2, 2048, 160 * 1024, 1024 * 1024, 90};
  return limits;
}

void fail_call(cudaError_t, const char* call, const char* file, int line) {
  throw Error(str("[cuda] ", call, " (", file, ":", line, ")"));
}

void count_launch() noexcept {}

Workspace::Workspace(std::size_t bytes) : device_(0) {
  emulation::GuardedMemory memory(bytes, 256);
  data_ = reinterpret_cast<std::byte*>(memory.data());
  workspaces().emplace(data_, std::move(memory));
}

Workspace::~Workspace() { workspaces().erase(data_); }

std::int32_t* index_error() {
  static std::int32_t word = 0;
  return &word;
}

}  // namespace athanor::cuda
