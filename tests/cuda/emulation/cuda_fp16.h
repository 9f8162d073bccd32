// Stands in for CUDA's <cuda_fp16.h>: the conversions that the kernels use.
#pragma once

#include "tensor/base/dtype.h"

using __half = athanor::f16;

inline __half __ushort_as_half(unsigned short bits) {
  __half value;
  value.bits = bits;
  return value;
}
inline unsigned short __half_as_ushort(__half value) { return value.bits; }
inline float __half2float(__half value) { return static_cast<float>(value); }
inline __half __float2half_rn(float value) { return __half(value); }
