// Own kernels of matmul and conv2d for what cuBLASLt and cuDNN do not serve: odd strides, integers
// (which wrap around), shapes beyond the libraries' limits. Plain, in the order of memory; the
// library paths are several times as fast.
#pragma once

#include "tensor/backend/kernels.h"

namespace athanor::cuda {

// Any strides; f32, f64, f16, bf16 and the integers. 64 x 64 tiles in shared memory.
void matmul_tiled(const MatmulArgs& args);

// Any strides, padding, dilation and groups; f32, f64, f16, bf16. A thread an element of the
// result (weights: a warp), without atomics.
void conv2d_direct(const Conv2dArgs& args);
void conv2d_direct_backward_input(const Conv2dArgs& args);
void conv2d_direct_backward_weight(const Conv2dArgs& args);

}  // namespace athanor::cuda
