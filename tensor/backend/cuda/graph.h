// Recording work as a CUDA graph (tensor/captured_step.h).
#pragma once

#include "tensor/backend/cuda/context.h"

namespace athanor::cuda {

// Work of this thread on the device is recorded until end or abandon; memory allocated meanwhile
// comes from a pool of its own, which the graph keeps.
void begin_capture(Context& c);
void* end_capture(Context& c);
void abandon_capture(Context& c) noexcept;

void launch_graph(Context& c, void* graph);
// Waits for the device, then gives the graph's memory to the common pool.
void destroy_graph(Context& c, void* graph) noexcept;

}  // namespace athanor::cuda
