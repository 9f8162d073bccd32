#include "tensor/backend/cuda/context.h"

#include <memory>
#include <unordered_map>
#include <vector>

#include "tensor/backend/cuda/check.h"
#include "tensor/backend/cuda/launch.h"

namespace athanor::cuda {
namespace {

int attribute(cudaDeviceAttr which, int index) {
  int value = 0;
  ATHANOR_CUDA_CHECK(cudaDeviceGetAttribute(&value, which, index));
  return value;
}

DeviceLimits read_limits(int index) {
  DeviceLimits limits;
  limits.multiprocessors = attribute(cudaDevAttrMultiProcessorCount, index);
  limits.threads_per_multiprocessor = attribute(cudaDevAttrMaxThreadsPerMultiProcessor, index);
  limits.shared_per_block =
      static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, index));
  limits.l2_bytes = static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize, index));
  limits.compute_capability = attribute(cudaDevAttrComputeCapabilityMajor, index) * 10 +
                              attribute(cudaDevAttrComputeCapabilityMinor, index);
  return limits;
}

// The driver half of the allocator. Allocating is legal while a graph is captured only in the
// relaxed mode.
BlockAllocator::Driver device_memory(int index) {
  const auto allocate = [index](std::int64_t bytes) -> std::byte* {
    make_current(index);
    auto mode = cudaStreamCaptureModeRelaxed;
    ATHANOR_CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode));
    void* data = nullptr;
    const cudaError_t status = cudaMalloc(&data, static_cast<std::size_t>(bytes));
    ATHANOR_CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode));
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // it is told by the null pointer
      return nullptr;
    }
    check_call(status, "cudaMalloc", __FILE__, __LINE__);
    return static_cast<std::byte*>(data);
  };
  const auto release = [index](std::byte* data) {
    make_current(index);
    ATHANOR_CUDA_CHECK(cudaFree(data));  // waits for the device by itself
    ++runtime_counters().synchronizations;
  };
  return {allocate, release};
}

thread_local int current_device = -1;

// Usable devices and, if there is none, why.
struct Found {
  int count = 0;
  std::string reason;
};

const Found& found_devices() {
  static const Found found = [] {
    Found f;
    const cudaError_t status = cudaGetDeviceCount(&f.count);
    if (status != cudaSuccess) {
      cudaGetLastError();
      f.count = 0;
      f.reason =
          str("cudaGetDeviceCount: ", cudaGetErrorName(status), ", ", cudaGetErrorString(status));
    } else if (f.count == 0) {
      f.reason = "the driver shows no device";
    }
    return f;
  }();
  return found;
}

}  // namespace

void fail_call(cudaError_t status, const char* call, const char* file, int line) {
  const ErrorKind kind =
      status == cudaErrorMemoryAllocation ? ErrorKind::out_of_resources : ErrorKind::runtime;
  raise(kind, "[cuda] ", call, ": ", cudaGetErrorName(status), ", ", cudaGetErrorString(status),
        " (", file, ":", line, ")");
}

int device_count() { return found_devices().count; }
std::string absent_reason() { return found_devices().reason; }

Context::Context(int device) : index(device), allocator(device_memory(device)) {
  make_current(index);
  cudaDeviceProp properties{};
  ATHANOR_CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
  name = properties.name;
  limits = read_limits(index);
  ATHANOR_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  index_error = reinterpret_cast<std::int32_t*>(allocator.allocate(sizeof(std::int32_t)));
  if (!index_error) raise(ErrorKind::out_of_resources, "[cuda] device cuda:", index, " is full");
  ATHANOR_CUDA_CHECK(cudaMemsetAsync(index_error, 0, sizeof(std::int32_t), stream));
  ATHANOR_CUDA_CHECK(
      cudaHostAlloc(reinterpret_cast<void**>(&host_result), sizeof(std::int32_t), 0));
}

void make_current(int index) {
  if (current_device == index) return;
  ATHANOR_CUDA_CHECK(cudaSetDevice(index));
  current_device = index;
}

namespace {

std::mutex contexts_mutex;

std::unique_ptr<Context>& slot(int index) {
  static auto* contexts =
      new std::vector<std::unique_ptr<Context>>(static_cast<std::size_t>(device_count()));
  return contexts->at(static_cast<std::size_t>(index));
}

}  // namespace

Context& context(int index) {
  std::lock_guard lock(contexts_mutex);
  std::unique_ptr<Context>& c = slot(index);
  if (!c) c = std::make_unique<Context>(index);
  return *c;
}

const Context* context_in_use(int index) {
  std::lock_guard lock(contexts_mutex);
  return slot(index).get();
}

Context& current_context() {
  thread_local Context* cached = nullptr;
  const int index = current_device < 0 ? 0 : current_device;
  if (!cached || cached->index != index) cached = &context(index);
  make_current(index);
  return *cached;
}

void synchronize(Context& c) {
  make_current(c.index);
  ++runtime_counters().synchronizations;
  std::lock_guard lock(c.host_result_mutex);
  ATHANOR_CUDA_CHECK(cudaMemcpyAsync(c.host_result, c.index_error, sizeof(std::int32_t),
                                     cudaMemcpyDeviceToHost, c.stream));
  ATHANOR_CUDA_CHECK(cudaStreamSynchronize(c.stream));
  if (*c.host_result == 0) return;
  ATHANOR_CUDA_CHECK(cudaMemsetAsync(c.index_error, 0, sizeof(std::int32_t), c.stream));
  raise(ErrorKind::runtime,
        "[cuda] an operation since the last copy to the host met an index out "
        "of range on device cuda:",
        c.index);
}

RuntimeCounters& runtime_counters() {
  static RuntimeCounters counters;
  return counters;
}

cudaStream_t current_stream() { return current_context().stream; }
const DeviceLimits& device_limits() { return current_context().limits; }
std::int32_t* index_error() { return current_context().index_error; }

void count_launch() noexcept {
  runtime_counters().launches.fetch_add(1, std::memory_order_relaxed);
}

Workspace::Workspace(std::size_t bytes) {
  Context& c = current_context();
  device_ = c.index;
  data_ = c.allocator.allocate(static_cast<std::int64_t>(bytes), c.pool);
  if (!data_) {
    raise(ErrorKind::out_of_resources, "[cuda] out of memory: asked for ", bytes,
          " bytes of scratch on cuda:", device_, " with ", c.allocator.memory().live, " live");
  }
}

Workspace::~Workspace() { context(device_).allocator.deallocate(data_); }

void allow_shared_bytes(const void* kernel, std::size_t bytes) {
  static std::mutex mutex;
  static std::map<std::pair<const void*, int>, std::size_t> allowed;
  const int index = current_context().index;
  std::lock_guard lock(mutex);
  std::size_t& now = allowed[{kernel, index}];
  if (bytes <= now) return;
  ATHANOR_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(bytes)));
  now = bytes;
}

}  // namespace athanor::cuda
