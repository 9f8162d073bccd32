// Errors of the CUDA runtime and its libraries, with the call and its place.
#pragma once

#include <cuda_runtime.h>

#include "tensor/base/error.h"

namespace athanor::cuda {

// Throws Error("[cuda] CALL: NAME, MESSAGE (FILE:LINE)"); out_of_resources for a lack of memory.
[[noreturn]] void fail_call(cudaError_t status, const char* call, const char* file, int line);

inline void check_call(cudaError_t status, const char* call, const char* file, int line) {
  if (status != cudaSuccess) fail_call(status, call, file, line);
}

}  // namespace athanor::cuda

// Throws unless the call succeeds.
#define ATHANOR_CUDA_CHECK(call) ::athanor::cuda::check_call((call), #call, __FILE__, __LINE__)
