// A device in the CPU's memory, for tests of everything around kernels where there is no GPU:
// memory comes from the CUDA backend's allocator, and the host can touch it only while a kernel or
// a copy runs, so that code which reads a device's memory directly stops with a memory fault.
#pragma once

#include <functional>

#include "tensor/backend/device.h"
#include "tensor/backend/kernels.h"

namespace athanor::test {

// Installs the device(s) for its lifetime; one at a time. All tensors on it must be gone before.
class TestDevice {
 public:
  // Runs `kernels`; entries without one stay errors.
  explicit TestDevice(const Kernels& kernels, int count = 1);
  ~TestDevice();
  TestDevice(const TestDevice&) = delete;
  TestDevice& operator=(const TestDevice&) = delete;

  // Kernels run at once, also while a graph is captured. What a graph does when it is launched is
  // up to the test.
  void set_replay(std::function<void()> replay);
  int destroyed_graphs() const;
  // Called after each copy to the host, with the memory unlocked.
  void set_error_check(std::function<void()> check);
};

// The reference kernels under the entries that `kernels` leaves empty and they have. `random`,
// which the CPU has not, draws there.
Kernels completed_by_reference(Kernels kernels);

// Lets the host reach the device's memory while one lives.
class UnlockDeviceMemory {
 public:
  UnlockDeviceMemory();
  ~UnlockDeviceMemory();
  UnlockDeviceMemory(const UnlockDeviceMemory&) = delete;
  UnlockDeviceMemory& operator=(const UnlockDeviceMemory&) = delete;
};

}  // namespace athanor::test
