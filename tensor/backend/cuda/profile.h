// Ranges around the work of operations: NVTX for NVIDIA's tools, events for our own profile.
#pragma once

#include <vector>

#include "tensor/backend/cuda/context.h"
#include "tensor/backend/device.h"

namespace athanor::cuda {

void begin_range(int index, const char* op);
void end_range(int index) noexcept;
void start_profile(Context& c);
std::vector<DeviceSpan> take_profile(Context& c);

}  // namespace athanor::cuda
