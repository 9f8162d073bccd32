// The own CUDA kernels as the CPU runs them (tests/cuda/emulation), behind the backend table.
#pragma once

#include "tensor/backend/kernels.h"

namespace athanor::test {

// The entries that own kernels fill. Products and convolutions, which cuBLASLt and cuDNN serve on a
// GPU, are the own fallback kernels.
Kernels emulated_kernels();

// What copies to the host do: throws if a kernel met an index out of range since the last call.
void check_emulated_indices();

}  // namespace athanor::test
