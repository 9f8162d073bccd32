#include "tensor/devices.h"

#include <charconv>

#include "tensor/base/error.h"

namespace athanor {

Device parse_device(std::string_view text) {
  if (text == "cpu") return {};
  Device device{DeviceType::cuda, 0};
  std::string_view rest = text;
  bool valid = rest.substr(0, 4) == "cuda";
  if (valid) rest.remove_prefix(4);
  if (valid && !rest.empty()) {
    valid = rest[0] == ':' && rest.size() > 1;
    if (valid) rest.remove_prefix(1);
    const char* end = rest.data() + rest.size();
    const auto [stop, error] = std::from_chars(rest.data(), end, device.index);
    valid = valid && error == std::errc() && stop == end && device.index >= 0;
  }
  if (!valid) raise(ErrorKind::usage, "device: expected cpu, cuda or cuda:N, got ", text);
  backend_of("device", device);
  return device;
}

int device_count(DeviceType type) {
  if (type == DeviceType::cpu) return 1;
  const DeviceBackend* backend = cuda_backend();
  return backend ? backend->count() : 0;
}

std::string why_no_cuda() {
  const DeviceBackend* backend = cuda_backend();
  return backend ? backend->absent() : "not part of this build (cmake --preset cuda builds it)";
}

std::string device_name(Device device) {
  if (device.type == DeviceType::cpu) return "cpu";
  return backend_of("device_name", device).name(device.index);
}

void synchronize(Device device) {
  if (device.type == DeviceType::cpu) return;
  backend_of("synchronize", device).synchronize(device.index);
}

void start_device_profile(Device device) {
  backend_of("start_device_profile", device).start_profile(device.index);
}

std::vector<DeviceSpan> take_device_profile(Device device) {
  return backend_of("take_device_profile", device).take_profile(device.index);
}

DeviceCounters device_counters() {
  const DeviceBackend* backend = cuda_backend();
  return backend && backend->count() > 0 ? backend->counters() : DeviceCounters{};
}

}  // namespace athanor
