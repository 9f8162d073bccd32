#include <atomic>
#include <cstdlib>
#include <string_view>

#include "tensor/backend/device.h"
#include "tensor/backend/kernels.h"
#include "tensor/backend/winograd.h"
#include "tensor/base/error.h"

namespace athanor {

#ifdef ATHANOR_CUDA
namespace cuda {
const DeviceBackend& device_backend();  // tensor/backend/cuda/cuda.cpp
}
#endif

namespace {

std::atomic<const DeviceBackend*> installed{nullptr};

bool switch_from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (!value || !*value || std::string_view(value) == "0") return false;
  if (std::string_view(value) == "1") return true;
  raise(ErrorKind::usage, name, ": expected 0 or 1, got ", value);
}

std::atomic<bool>& tf32_switch() {
  static std::atomic<bool> on{switch_from_environment("ATHANOR_TF32")};
  return on;
}

std::atomic<bool>& winograd_switch() {
  static std::atomic<bool> on{switch_from_environment("ATHANOR_WINOGRAD")};
  return on;
}

bool reference_from_environment() {
  const char* value = std::getenv("ATHANOR_BACKEND");
  if (!value || !*value || std::string_view(value) == "fast") return false;
  if (std::string_view(value) == "reference") return true;
  raise(ErrorKind::usage, "ATHANOR_BACKEND: expected fast or reference, got ", value);
}

// Negative: this thread has not asked yet.
constinit thread_local signed char forced_here = -1;

bool forced() {
  if (forced_here < 0) {
    static const bool from_environment = reference_from_environment();
    forced_here = from_environment;
  }
  return forced_here > 0;
}

}  // namespace

UseReferenceKernels::UseReferenceKernels() : previous_(forced()) { forced_here = 1; }
UseReferenceKernels::~UseReferenceKernels() { forced_here = previous_; }

const DeviceBackend* cuda_backend() {
  if (const DeviceBackend* backend = installed.load(std::memory_order_acquire)) return backend;
#ifdef ATHANOR_CUDA
  return &cuda::device_backend();
#else
  return nullptr;
#endif
}

const DeviceBackend& backend_of(const char* op, Device device) {
  const DeviceBackend* backend = cuda_backend();
  if (!backend) {
    raise(ErrorKind::usage, "[", op, "] device ", device,
          " is not part of this build (cmake --preset cuda builds it); expected cpu");
  }
  const int count = backend->count();
  if (count == 0) {
    raise(ErrorKind::usage, "[", op, "] device ", device, " is absent: ", backend->absent());
  }
  if (device.index < 0 || device.index >= count) {
    raise(ErrorKind::usage, "[", op, "] device ", device, " is absent: expected cuda:0",
          count > 1 ? str(" to cuda:", count - 1) : "");
  }
  return *backend;
}

void set_tf32(bool on) { tf32_switch() = on; }
bool tf32() { return tf32_switch(); }

void set_winograd(bool on) { winograd_switch() = on; }
bool winograd() { return winograd_switch(); }

namespace detail {

const DeviceBackend* install_cuda_backend(const DeviceBackend* backend) {
  return installed.exchange(backend, std::memory_order_acq_rel);
}

const Kernels& device_kernels(const char* op, Device device) {
  const DeviceBackend& backend = backend_of(op, device);
  backend.make_current(device.index);
  return backend.kernels();
}

DeviceRange::DeviceRange(const char* op, Device device) : index_(device.index) {
  cuda_backend()->begin_range(index_, op);
}
DeviceRange::~DeviceRange() { cuda_backend()->end_range(index_); }

bool reference_forced() { return forced(); }

void no_kernel(const char* op, DType dtype, Device device) {
  fail(op, "has no kernel for dtype ", dtype, " on device ", device);
}

}  // namespace detail
}  // namespace athanor
