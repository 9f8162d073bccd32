// Stands in for CUDA's <cuda_bf16.h>: the conversions that the kernels use; and brings the tensor
// cores, for which CUDA needs no header.
#pragma once

#include "tensor/base/dtype.h"
#include "tests/cuda/emulation/mma.h"

using __nv_bfloat16 = athanor::bf16;

inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
  __nv_bfloat16 value;
  value.bits = bits;
  return value;
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 value) { return value.bits; }
inline float __bfloat162float(__nv_bfloat16 value) { return static_cast<float>(value); }
inline __nv_bfloat16 __float2bfloat16_rn(float value) { return __nv_bfloat16(value); }
