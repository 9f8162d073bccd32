// Devices by name, and what they are doing.
#pragma once

#include <string>
#include <string_view>

#include "tensor/backend/device.h"
#include "tensor/base/device.h"
#include "tensor/storage.h"

namespace athanor {

// "cpu", "cuda" (the first) or "cuda:1". Throws Error(usage) for anything else, and for a device
// that this build or this machine does not have, saying why.
Device parse_device(std::string_view text);

// Usable devices of a type; 1 for the CPU. `why_no_cuda` is empty when there is one.
int device_count(DeviceType type);
std::string why_no_cuda();
// "NVIDIA H100 80GB HBM3"; "cpu" for the CPU.
std::string device_name(Device device);

// As in tensor/storage.h, by device.
MemoryStats memory_stats(Device device);
void reset_peak_memory(Device device);
void empty_memory_cache(Device device);
void set_memory_limit(std::int64_t bytes, Device device);
std::int64_t memory_limit(Device device);

// Waits until the device has done all work started on it; nothing on the CPU. Throws what its
// kernels reported.
void synchronize(Device device);

// What the devices' runtime did since the start; zeros without one. Training must not raise
// `synchronizations` between the places where a value is asked for.
DeviceCounters device_counters();

// Measures each operation on the device by events from now on. take_device_profile() waits for
// the device, gives what was measured, and stops. Without a profile nothing is measured.
void start_device_profile(Device device);
std::vector<DeviceSpan> take_device_profile(Device device);

}  // namespace athanor
