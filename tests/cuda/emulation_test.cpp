// The emulation itself: what it runs, and that it finds the mistakes that it claims to find.
#include <cuda_pipeline.h>
#include <cuda_runtime.h>
#include <catch2/catch.hpp>

#include <vector>

#include "tensor/backend/cuda/element.cuh"
#include "tensor/base/error.h"
#include "tests/cuda/emulation/guarded_memory.h"

using namespace athanor;
using Catch::Contains;

namespace {

unsigned char* shared() { return emulation::dynamic_shared_memory(); }

// Sums 0 .. threads - 1 through shared memory; without the barrier some order gives another sum.
__global__ void sum_of_block(int* result, bool with_barrier) {
  int* values = reinterpret_cast<int*>(shared());
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (with_barrier) __syncthreads();
  if (threadIdx.x % 7 == 3) {
    int total = 0;
    for (unsigned i = 0; i < blockDim.x; ++i) total += values[i];
    result[blockIdx.x] = total;
  }
}

__global__ void warp_sum(int* result) {
  int value = static_cast<int>(threadIdx.x);
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(~0u, value, offset);
  result[threadIdx.x] = value;
}

__global__ void half_barrier() {
  if (threadIdx.x < 40) __syncthreads();
}

__global__ void two_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void absent_lane() {
  if (threadIdx.x != 5) __syncwarp();
}

__global__ void caller_outside_mask() { __syncwarp(0xffff0000u); }

__global__ void reads_outside_mask(int* result) {
  if (threadIdx.x < 16) result[threadIdx.x] = __shfl_down_sync(0xffffu, 1, 8);
}

__global__ void two_operations() {
  if (threadIdx.x < 16) {
    __ballot_sync(~0u, 1);
  } else {
    __shfl_sync(~0u, 1, 0);
  }
}

__global__ void misaligned(const float* x, float* y) {
  cuda::store_pack<4>(y, cuda::load_pack<4>(x));
}

// store_pack writes global memory only.
__global__ void global_store_to_shared(const float* x) {
  cuda::store_pack<4>(cuda::dynamic_shared<float>(), cuda::load_pack<4>(x));
}

// Two batches of copies; the sums of what is there with one, then none under way.
__global__ void copies(const float* x, float* sums) {
  float* here = cuda::dynamic_shared<float>();
  for (int batch = 0; batch < 2; ++batch) {
    __pipeline_memcpy_async(here + 4 * batch, x + 4 * batch, 16);
    __pipeline_commit();
  }
  for (int left = 1; left >= 0; --left) {
    __pipeline_wait_prior(static_cast<std::size_t>(left));
    sums[2 * left] = here[0] + here[3];
    sums[2 * left + 1] = here[4] + here[7];
  }
}

template <class... Params, class... Args>
void launch(void (*kernel)(Params...), unsigned grid, unsigned block, std::size_t bytes,
            Args... args) {
  emulation::launch(kernel, dim3(grid), dim3(block), bytes, args...);
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("blocks share memory and wait at barriers") {
  std::vector<int> result(3);
  launch(sum_of_block, 3, 96, 96 * sizeof(int), result.data(), true);
  CHECK(result == std::vector<int>(3, 95 * 96 / 2));
}

TEST_CASE("a missing barrier shows in one of the two orders") {
  int forward = 0, reverse = 0;
  launch(sum_of_block, 1, 96, 96 * sizeof(int), &forward, false);
  emulation::set_order(emulation::Order::reverse);
  launch(sum_of_block, 1, 96, 96 * sizeof(int), &reverse, false);
  emulation::set_order(emulation::Order::forward);
  CHECK(forward != reverse);
}

TEST_CASE("lanes exchange values within their warp") {
  std::vector<int> result(64);
  launch(warp_sum, 1, 64, 0, result.data());
  CHECK(result[0] == 31 * 32 / 2);
  CHECK(result[63] == 31 * 32 / 2 + 32 * 32);
}

TEST_CASE("static and dynamic mistakes of synchronisation are errors that name the place") {
  CHECK_THAT(error_of([] { launch(half_barrier, 1, 64, 0); }),
             Contains("emulation_test.cpp") && Contains("40 of 64 threads arrive"));
  CHECK_THAT(error_of([] { launch(two_barriers, 1, 64, 0); }), Contains("two barriers"));
  CHECK_THAT(error_of([] { launch(absent_lane, 1, 32, 0); }), Contains("never arrive"));
  CHECK_THAT(error_of([] { launch(caller_outside_mask, 1, 32, 0); }),
             Contains("leaves out its caller"));
  CHECK_THAT(error_of([] { launch(two_operations, 1, 32, 0); }), Contains("two operations"));
  std::vector<int> result(16);
  CHECK_THAT(error_of([&] { launch(reads_outside_mask, 1, 32, 0, result.data()); }),
             Contains("outside its mask"));
  // The next launch works: nothing of the failed ones is left.
  launch(sum_of_block, 1, 96, 96 * sizeof(int), result.data(), true);
  CHECK(result[0] == 95 * 96 / 2);
}

TEST_CASE("misaligned vectors, the wrong memory and impossible launches are errors") {
  emulation::GuardedMemory x(64), y(64);
  auto* from = reinterpret_cast<float*>(x.data());
  auto* to = reinterpret_cast<float*>(y.data());
  launch(misaligned, 1, 1, 0, static_cast<const float*>(from), to);
  CHECK_THAT(
      error_of([&] { launch(misaligned, 1, 1, 0, static_cast<const float*>(from + 1), to); }),
      Contains("multiple of 16"));
  CHECK_THAT(
      error_of([&] { launch(global_store_to_shared, 1, 1, 64, static_cast<const float*>(from)); }),
      Contains("names shared memory"));
  CHECK_THAT(error_of([] { launch(caller_outside_mask, 0, 32, 0); }), Contains("launch refused"));
  CHECK_THAT(error_of([] { launch(caller_outside_mask, 1, 1025, 0); }), Contains("refused"));
  CHECK_THAT(error_of([] { launch(caller_outside_mask, 1, 32, 300 * 1024); }), Contains("refused"));
}

TEST_CASE("dynamic shared memory starts as NaN and static shared memory belongs to the block") {
  struct Read {
    static void first_word(float* result) {
      result[blockIdx.x] = *reinterpret_cast<float*>(shared());
      *reinterpret_cast<float*>(shared()) = 1;
    }
  };
  float result[2] = {};
  launch(Read::first_word, 2, 1, sizeof(float), result);
  CHECK(result[0] != result[0]);
  CHECK(result[1] != result[1]);
}

TEST_CASE("a copy to shared memory is NaN until its thread has waited for it") {
  emulation::GuardedMemory x(32);
  auto* from = reinterpret_cast<float*>(x.data());
  for (int i = 0; i < 8; ++i) from[i] = static_cast<float>(i);
  float sums[4] = {};
  launch(copies, 1, 1, 32, static_cast<const float*>(from), sums);
  CHECK(sums[2] == 3);
  CHECK(sums[3] != sums[3]);
  CHECK(sums[0] == 3);
  CHECK(sums[1] == 11);
}
