// Elements in kernels: conversion to the type that they are computed in and back, and groups of
// neighbours that move in one access.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <limits>
#include <type_traits>

#include "tensor/base/dtype.h"

namespace athanor::cuda {

template <class T>
inline constexpr bool is_real = !std::is_integral_v<T>;

// The value in its compute type (float for f16 and bf16).
template <class T>
__device__ inline compute_t<T> wide(T value) {
  if constexpr (std::is_same_v<T, f16>) {
    return __half2float(__ushort_as_half(value.bits));
  } else if constexpr (std::is_same_v<T, bf16>) {
    return __bfloat162float(__ushort_as_bfloat16(value.bits));
  } else {
    return value;
  }
}

// The value as an element, rounded to nearest even.
template <class T>
__device__ inline T narrow(compute_t<T> value) {
  if constexpr (std::is_same_v<T, f16>) {
    f16 result;
    result.bits = __half_as_ushort(__float2half_rn(value));
    return result;
  } else if constexpr (std::is_same_v<T, bf16>) {
    bf16 result;
    result.bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
    return result;
  } else {
    return value;
  }
}

// `value` as a Y: the rules of tensor/backend/convert.h.
template <class Y, class C>
__device__ inline Y cast_to(C value) {
  using D = compute_t<Y>;
  if constexpr (std::is_floating_point_v<C> && std::is_integral_v<D> && !std::is_same_v<D, bool>) {
    constexpr D lowest = std::numeric_limits<D>::min(), highest = std::numeric_limits<D>::max();
    constexpr C low = static_cast<C>(lowest), high = static_cast<C>(highest);
    if (value != value) return 0;
    if (value <= low) return lowest;
    if (value >= high) return highest;
  }
  return narrow<Y>(static_cast<D>(value));
}

// The type in which C is added and multiplied: integers wrap around.
template <class C>
using arithmetic_t =
    std::conditional_t<std::is_integral_v<C> && !std::is_same_v<C, bool>, std::uint64_t, C>;

// What sums of T run in: float for the 16-bit formats, double where the reference's rules ask for
// it (index sums and running sums), u64 for integers.
template <class T>
using long_sum_t = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

// An unsigned type of `bytes` bytes, up to 16: copies move bits, whatever they mean.
template <int kBytes>
struct BitsOf;
template <>
struct BitsOf<1> {
  using type = unsigned char;
};
template <>
struct BitsOf<2> {
  using type = unsigned short;
};
template <>
struct BitsOf<4> {
  using type = unsigned;
};
template <>
struct BitsOf<8> {
  using type = uint2;
};
template <>
struct BitsOf<16> {
  using type = uint4;
};

// V neighbours, which one access loads or stores, in global memory.
template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
  T v[V];
};

// Elements a thread moves in one access: 16 bytes of the wider formats, 8 elements at most.
template <class... T>
inline constexpr int kPackSize = [] {
  int largest = 2;
  ((largest = sizeof(T) > 2 && largest < static_cast<int>(sizeof(T)) ? int{sizeof(T)} : largest),
   ...);
  return 16 / largest;
}();

template <int V, class T>
__device__ inline Pack<T, V> load_pack(const T* from) {
  using Bits = typename BitsOf<static_cast<int>(sizeof(T)) * V>::type;
  const Bits bits = __ldca(reinterpret_cast<const Bits*>(from));
  Pack<T, V> pack;
  memcpy(static_cast<void*>(&pack), &bits, sizeof(pack));
  return pack;
}

template <int V, class T>
__device__ inline void store_pack(T* to, const Pack<T, V>& pack) {
  using Bits = typename BitsOf<static_cast<int>(sizeof(T)) * V>::type;
  Bits bits;
  memcpy(&bits, static_cast<const void*>(&pack), sizeof(pack));
  __stwb(reinterpret_cast<Bits*>(to), bits);
}

// The block's dynamic shared memory, 16-byte aligned.
template <class T>
__device__ inline T* dynamic_shared() {
#ifdef ATHANOR_CUDA_EMULATED
  return reinterpret_cast<T*>(emulation::dynamic_shared_memory());
#else
  extern __shared__ __align__(16) unsigned char athanor_dynamic_shared[];
  return reinterpret_cast<T*>(athanor_dynamic_shared);
#endif
}

// The thread's number in the grid, and how many there are, for one-dimensional launches.
__device__ inline std::int64_t grid_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t grid_threads() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

// Calls f(Tag<Bits>) with the unsigned type as large as t's elements: copies move bits.
template <class F>
void visit_bits(DType t, F&& f) {
  switch (size_of(t)) {
    case 1:
      return f(Tag<std::uint8_t>{});
    case 2:
      return f(Tag<std::uint16_t>{});
    case 4:
      return f(Tag<std::uint32_t>{});
    default:
      return f(Tag<std::uint64_t>{});
  }
}

}  // namespace athanor::cuda
