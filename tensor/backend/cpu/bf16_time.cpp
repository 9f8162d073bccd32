#include "tensor/backend/cpu/bf16_time.h"

#include <algorithm>
#include <chrono>

#include "tensor/base/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace athanor::cpu {

#if defined(__x86_64__)
namespace {

// Chains enough to hide the latency of either instruction on two units.
constexpr int kChains = 12;
constexpr int kSteps = 500, kRuns = 5;

using Clock = std::chrono::steady_clock;

// The time of kSteps instructions for each chain. The empty statements keep the compiler from
// computing elsewhere, or nothing.
template <bool kBf16>
__attribute__((target("avx512f,avx512bf16"))) Clock::duration run() {
  __m512 x = _mm512_setzero_ps(), sums[kChains];
  asm volatile("" : "+v"(x));
  for (__m512& sum : sums) {
    sum = _mm512_setzero_ps();
    asm volatile("" : "+v"(sum));
  }
  const auto start = Clock::now();
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (__m512& sum : sums) {
      if constexpr (kBf16) {
        sum = _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)x);
      } else {
        sum = _mm512_fmadd_ps(x, x, sum);
      }
    }
  }
  for (__m512& sum : sums) asm volatile("" : "+v"(sum));
  return Clock::now() - start;
}

}  // namespace

double bf16_instruction_time() {
  run<false>(), run<true>();
  Clock::duration f32 = Clock::duration::max(), bf16 = f32;
  for (int i = 0; i < kRuns; ++i) {
    f32 = std::min(f32, run<false>());
    bf16 = std::min(bf16, run<true>());
  }
  return static_cast<double>(bf16.count()) / static_cast<double>(f32.count());
}
#else
double bf16_instruction_time() {
  fail("bf16_instruction_time", "this processor has no AVX512-BF16");
}
#endif

}  // namespace athanor::cpu
