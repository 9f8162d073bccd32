// Stands in for CUDA's <cuda_runtime.h> where kernels are compiled for the CPU: the part of the
// language and of the intrinsics that tensor/backend/cuda uses, run by block.h.
#pragma once

#include <math.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <source_location>

#include "tests/cuda/emulation/block.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
// One block runs at a time, so a block's static shared memory is a static variable.
#define __shared__ static
#define __constant__ static

#define threadIdx (::athanor::emulation::thread_index)
#define blockIdx (::athanor::emulation::block_index)
#define blockDim (::athanor::emulation::block_size)
#define gridDim (::athanor::emulation::grid_size)

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
using cudaStream_t = void*;

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

struct uint2 {
  unsigned x, y;
};
struct uint4 {
  unsigned x, y, z, w;
};

namespace athanor::emulation {

template <class... Params>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, std::size_t shared_bytes,
            std::type_identity_t<Params>... args) {
  run_grid({{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes},
           [&] { kernel(args...); });
}

// A value of at most eight bytes as the word that lanes exchange, and back.
template <class T>
std::uint64_t to_word(T value) {
  static_assert(sizeof(T) <= 8);
  std::uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  return word;
}
template <class T>
T from_word(std::uint64_t word) {
  T value;
  std::memcpy(&value, &word, sizeof(T));
  return value;
}

// The value of lane `source` of the caller's segment of `width` lanes; its own where there is none.
template <class T>
T shuffle(unsigned mask, T value, int source, bool inside, const char* name, const Place& place) {
  std::uint64_t values[32];
  warp_exchange(mask, to_word(value), values, name, place);
  if (!inside) return value;
  if (!(mask >> source & 1)) fail(place, "a shuffle reads a lane outside its mask");
  return from_word<T>(values[source]);
}

}  // namespace athanor::emulation

#define ATHANOR_PLACE std::source_location place = std::source_location::current()

inline void __syncthreads(ATHANOR_PLACE) { athanor::emulation::block_barrier(place); }
inline int __syncthreads_or(int value, ATHANOR_PLACE) {
  return athanor::emulation::block_barrier_or(value, place);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, ATHANOR_PLACE) {
  std::uint64_t values[32];
  athanor::emulation::warp_exchange(mask, 0, values, "__syncwarp", place);
}
inline unsigned __ballot_sync(unsigned mask, int value, ATHANOR_PLACE) {
  std::uint64_t values[32];
  athanor::emulation::warp_exchange(mask, value != 0, values, "__ballot_sync", place);
  unsigned bits = 0;
  for (unsigned i = 0; i < 32; ++i) {
    if (mask >> i & 1u) bits |= static_cast<unsigned>(values[i]) << i;
  }
  return bits;
}
inline int __any_sync(unsigned mask, int value, ATHANOR_PLACE) {
  return __ballot_sync(mask, value, place) != 0;
}
inline int __all_sync(unsigned mask, int value, ATHANOR_PLACE) {
  return __ballot_sync(mask, value, place) == mask;
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, ATHANOR_PLACE) {
  const int first = static_cast<int>(athanor::emulation::lane()) / width * width;
  return athanor::emulation::shuffle(mask, value, first + source % width, true, "__shfl_sync",
                                     place);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, ATHANOR_PLACE) {
  const int self = static_cast<int>(athanor::emulation::lane()), source = self ^ bits;
  // A lane of a later segment gives the caller's own value, as on the device.
  return athanor::emulation::shuffle(mask, value, source, source / width <= self / width,
                                     "__shfl_xor_sync", place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, ATHANOR_PLACE) {
  const int self = static_cast<int>(athanor::emulation::lane());
  const int source = self - static_cast<int>(delta);
  return athanor::emulation::shuffle(mask, value, source, source >= self / width * width,
                                     "__shfl_up_sync", place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, ATHANOR_PLACE) {
  const int self = static_cast<int>(athanor::emulation::lane());
  const int source = self + static_cast<int>(delta);
  return athanor::emulation::shuffle(mask, value, source, source < (self / width + 1) * width,
                                     "__shfl_down_sync", place);
}

// Loads and stores of vectors in global memory, which must be aligned.
template <class T>
T __ldca(const T* from, ATHANOR_PLACE) {
  athanor::emulation::check_global(from, place);
  athanor::emulation::check_aligned(from, sizeof(T), place);
  T value;
  std::memcpy(&value, static_cast<const void*>(from), sizeof(T));
  return value;
}
template <class T>
void __stwb(T* to, T value, ATHANOR_PLACE) {
  athanor::emulation::check_global(to, place);
  athanor::emulation::check_aligned(to, sizeof(T), place);
  std::memcpy(static_cast<void*>(to), &value, sizeof(T));
}

template <class T>
T atomicAdd(T* at, T value) {
  const T old = *at;
  *at = static_cast<T>(old + value);
  return old;
}

inline void __threadfence() {}

inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((std::uint64_t{a} * b) >> 32);
}
inline int __popc(unsigned bits) { return std::popcount(bits); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline long long __double_as_longlong(double value) { return std::bit_cast<long long>(value); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
