#include "tensor/backend/cuda/profile.h"

#include <nvtx3/nvToolsExt.h>

#include <map>

#include "tensor/backend/cuda/check.h"

namespace athanor::cuda {
namespace {

struct Span {
  const char* op;
  cudaEvent_t begin, end;
};

struct Profile {
  cudaEvent_t start = nullptr;
  std::vector<Span> spans;
};

// Of one profile: two events each. A longer run keeps its beginning.
constexpr std::size_t kMostSpans = 200'000;

std::atomic<int> running{0};  // profiles on all devices
std::mutex mutex;

std::map<int, Profile>& profiles() {
  static auto* all = new std::map<int, Profile>;
  return *all;
}

cudaEvent_t record(cudaStream_t stream) {
  cudaEvent_t event = nullptr;
  ATHANOR_CUDA_CHECK(cudaEventCreate(&event));
  ATHANOR_CUDA_CHECK(cudaEventRecord(event, stream));
  return event;
}

// Whether events are recorded on the device now.
Profile* active_profile(const Context& c) {
  if (running == 0 || c.pool != 0) return nullptr;
  const auto found = profiles().find(c.index);
  return found == profiles().end() ? nullptr : &found->second;
}

}  // namespace

void begin_range(int index, const char* op) {
  nvtxRangePushA(op);
  if (running == 0) return;
  const std::lock_guard lock(mutex);
  Context& c = context(index);
  Profile* p = active_profile(c);
  if (p && p->spans.size() < kMostSpans) p->spans.push_back({op, record(c.stream), nullptr});
}

void end_range(int index) noexcept {
  nvtxRangePop();
  if (running == 0) return;
  const std::lock_guard lock(mutex);
  Context& c = context(index);
  Profile* p = active_profile(c);
  if (!p || p->spans.empty() || p->spans.back().end) return;
  // An event that fails leaves its span out.
  cudaEvent_t event = nullptr;
  if (cudaEventCreate(&event) != cudaSuccess) return;
  if (cudaEventRecord(event, c.stream) == cudaSuccess) p->spans.back().end = event;
}

void start_profile(Context& c) {
  make_current(c.index);
  const std::lock_guard lock(mutex);
  Profile& p = profiles()[c.index];
  if (p.start) fail("profile", "expected one profile at a time on cuda:", c.index);
  p.start = record(c.stream);
  ++running;
}

std::vector<DeviceSpan> take_profile(Context& c) {
  synchronize(c);
  const std::lock_guard lock(mutex);
  const auto found = profiles().find(c.index);
  if (found == profiles().end()) fail("profile", "expected a started profile on cuda:", c.index);
  std::vector<DeviceSpan> result;
  for (const Span& span : found->second.spans) {
    float begin = 0, duration = 0;  // milliseconds
    if (span.end) {
      ATHANOR_CUDA_CHECK(cudaEventElapsedTime(&begin, found->second.start, span.begin));
      ATHANOR_CUDA_CHECK(cudaEventElapsedTime(&duration, span.begin, span.end));
      result.push_back({span.op, 1e3 * begin, 1e3 * duration});
      cudaEventDestroy(span.end);
    }
    cudaEventDestroy(span.begin);
  }
  cudaEventDestroy(found->second.start);
  profiles().erase(found);
  --running;
  return result;
}

}  // namespace athanor::cuda
