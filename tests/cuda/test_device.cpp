#include "tests/cuda/test_device.h"

#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>

#include "tensor/backend/cuda/block_allocator.h"
#include "tensor/base/error.h"
#include "tensor/random.h"
#include "tests/cuda/kernel_list.h"

namespace athanor::test {
namespace {

// The memory of all devices: address space without access, handed out in order. Once everything
// is given back it starts anew, since locking takes time for each page that was ever touched.
constexpr std::size_t kArenaBytes = std::size_t{8} << 30;

struct Arena {
  std::byte* base = nullptr;
  std::size_t used = 0;
  int live = 0;  // segments
  std::mutex mutex;
  int unlocked = 0;  // depth

  Arena() { map(kArenaBytes, 0); }
  void map(std::size_t bytes, int flags) {
    void* memory =
        mmap(base, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    if (memory == MAP_FAILED) fail("test_device", "expected ", bytes, " bytes of addresses");
    base = static_cast<std::byte*>(memory);
  }
  void protect(int access) {
    if (used > 0 && mprotect(base, used, access) != 0) fail("test_device", "mprotect failed");
  }
  std::byte* take(std::int64_t bytes) {
    std::lock_guard lock(mutex);
    const auto size = (static_cast<std::size_t>(bytes) + 4095) / 4096 * 4096;
    if (size > kArenaBytes - used) return nullptr;
    std::byte* memory = base + used;
    used += size;
    ++live;
    if (unlocked > 0) protect(PROT_READ | PROT_WRITE);
    return memory;
  }
  void give_back() {
    std::lock_guard lock(mutex);
    if (--live > 0) return;
    map(used, MAP_FIXED);
    used = 0;
  }
};

Arena& arena() {
  static auto* instance = new Arena;
  return *instance;
}

struct Devices {
  Kernels kernels, guarded;
  std::vector<std::unique_ptr<cuda::BlockAllocator>> allocators;
  std::atomic<std::int64_t> launches{0}, synchronizations{0}, to_device{0}, to_host{0};
  int capture = 0, destroyed = 0;
  std::function<void()> replay, error_check;
  bool profiling = false;
  std::vector<DeviceSpan> spans;
};
Devices* devices = nullptr;

cuda::BlockAllocator& allocator(int index) {
  return *devices->allocators.at(static_cast<std::size_t>(index));
}

// The kernel of an entry, with the memory unlocked while it runs.
template <auto entry, class Args>
void run_guarded(const Args& args) {
  UnlockDeviceMemory unlock;
  ++devices->launches;
  (devices->kernels.*entry).run(args);
}

template <auto entry, class Args>
Kernel<Args> guarded(const Kernel<Args>& kernel) {
  if (!kernel.run) return {};
  return {run_guarded<entry, Args>, kernel.dtypes};
}

void copy(void* to, const void* from, std::int64_t bytes) {
  UnlockDeviceMemory unlock;
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

const DeviceBackend kBackend{
    []() -> const Kernels& { return devices->guarded; },
    [] { return static_cast<int>(devices->allocators.size()); },
    [] { return std::string(); },
    [](int) { return std::string("test device in the CPU's memory"); },
    [](int) {},
    [](int index, std::int64_t bytes) {
      std::byte* block = allocator(index).allocate(bytes);
      // Values that were never written must show.
      UnlockDeviceMemory unlock;
      if (block) std::memset(block, 0xFF, static_cast<std::size_t>(bytes));
      return block;
    },
    [](int index, std::byte* block) noexcept { allocator(index).deallocate(block); },
    [](int, void* to, const void* from, std::int64_t bytes) {
      ++devices->to_device;
      copy(to, from, bytes);
    },
    [](int, void* to, const void* from, std::int64_t bytes) {
      ++devices->to_host;
      ++devices->synchronizations;
      copy(to, from, bytes);
      const UnlockDeviceMemory unlock;
      if (devices->error_check) devices->error_check();
    },
    [](int, void* to, int, const void* from, std::int64_t bytes) { copy(to, from, bytes); },
    [](int) { ++devices->synchronizations; },
    [](int index) { return allocator(index).memory(); },
    [](int index) { allocator(index).reset_peak(); },
    [](int index, std::int64_t bytes) { allocator(index).set_limit(bytes); },
    [](int index) { allocator(index).empty_cache(); },
    [] {
      DeviceCounters counters{devices->launches, devices->synchronizations, devices->to_device,
                              devices->to_host, 0};
      for (const auto& a : devices->allocators) {
        counters.driver_allocations += a->driver_allocations();
      }
      return counters;
    },
    [](int) { devices->capture = 1; },
    [](int) -> void* {
      devices->capture = 0;
      return new std::function<void()>(devices->replay ? devices->replay : [] {});
    },
    [](int) noexcept { devices->capture = 0; },
    [](int) { return devices->capture != 0; },
    [](int, void* graph) { (*static_cast<std::function<void()>*>(graph))(); },
    [](int, void* graph) noexcept {
      ++devices->destroyed;
      delete static_cast<std::function<void()>*>(graph);
    },
    [](int, const char* op) {
      if (devices->profiling) devices->spans.push_back({op, 0, 0});
    },
    [](int) noexcept {},
    [](int) { devices->profiling = true; },
    [](int) {
      devices->profiling = false;
      return std::move(devices->spans);
    },
};

// Draws on the CPU and copies the bytes.
void plain_random(const RandomArgs& a) {
  Generator generator(a.seed, a.stream);
  generator.set_position(a.position);
  const Shape shape{a.y.numel()};
  Tensor values;
  switch (a.kind) {
    case RandomKind::uniform:
      values = random_uniform(shape, generator, a.a, a.b, a.y.dtype);
      break;
    case RandomKind::normal:
      values = random_normal(shape, generator, a.a, a.b, a.y.dtype);
      break;
    case RandomKind::bernoulli:
      values = random_bernoulli(shape, generator, static_cast<double>(a.threshold) / 4294967296.0);
      break;
  }
  std::memcpy(a.y.data, values.raw(),
              static_cast<std::size_t>(values.numel() * size_of(values.dtype())));
}

}  // namespace

TestDevice::TestDevice(const Kernels& kernels, int count) {
  if (devices) fail("test_device", "expected one at a time");
  devices = new Devices;
  devices->kernels = kernels;
  for (int i = 0; i < count; ++i) {
    const cuda::BlockAllocator::Driver driver{
        [](std::int64_t bytes) { return arena().take(bytes); },
        [](std::byte*) { arena().give_back(); }};
    devices->allocators.push_back(std::make_unique<cuda::BlockAllocator>(driver));
  }
  for_each_kernel([&]<auto entry>(const char*) {
    devices->guarded.*entry = guarded<entry>(devices->kernels.*entry);
  });
  detail::install_cuda_backend(&kBackend);
}

TestDevice::~TestDevice() {
  detail::install_cuda_backend(nullptr);
  delete devices;
  devices = nullptr;
}

void TestDevice::set_replay(std::function<void()> replay) { devices->replay = std::move(replay); }
void TestDevice::set_error_check(std::function<void()> check) {
  devices->error_check = std::move(check);
}
int TestDevice::destroyed_graphs() const { return devices->destroyed; }

Kernels completed_by_reference(Kernels kernels) {
  for_each_kernel([&]<auto entry>(const char*) {
    if (!(kernels.*entry).run) kernels.*entry = reference_kernels().*entry;
  });
  if (!kernels.random.run) kernels.random = {plain_random, kAllDTypes};
  return kernels;
}

UnlockDeviceMemory::UnlockDeviceMemory() {
  std::lock_guard lock(arena().mutex);
  if (arena().unlocked++ == 0) arena().protect(PROT_READ | PROT_WRITE);
}
UnlockDeviceMemory::~UnlockDeviceMemory() {
  std::lock_guard lock(arena().mutex);
  if (--arena().unlocked == 0) arena().protect(PROT_NONE);
}

}  // namespace athanor::test
