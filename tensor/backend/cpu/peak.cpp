// Fused multiply-adds on registers: the arithmetic limit that benchmarks compare with.
// cpu.h declares them, cpu.cpp chooses.
#include <cstddef>
#include <cstdint>

#include "tensor/backend/cpu/isa_begin.h"

namespace {

#if defined(ATHANOR_ISA_AVX512)
typedef float Vector __attribute__((vector_size(64)));
#elif defined(ATHANOR_ISA_AVX2)
typedef float Vector __attribute__((vector_size(32)));
#else
typedef float Vector __attribute__((vector_size(16)));
#endif

// Enough independent chains to hide the latency of two units of four cycles each, and few enough
// to stay in the sixteen registers of AVX2.
constexpr int kChains = 12;

}  // namespace

double fma_flops_per_step() { return 2.0 * kChains * sizeof(Vector) / sizeof(float); }

float run_fma_steps(std::int64_t steps) {
  Vector chains[kChains], factor, term;
  for (std::size_t i = 0; i < sizeof(Vector) / sizeof(float); ++i) {
    factor[i] = 0.999f;
    term[i] = 0.001f;
    ATHANOR_UNROLL
    for (int c = 0; c < kChains; ++c) chains[c][i] = static_cast<float>(c);
  }
  for (std::int64_t s = 0; s < steps; ++s) {
    ATHANOR_UNROLL
    for (int c = 0; c < kChains; ++c) chains[c] = chains[c] * factor + term;
  }
  float sum = 0;
  ATHANOR_UNROLL
  for (int c = 0; c < kChains; ++c) sum += chains[c][0];
  return sum;
}

#include "tensor/backend/cpu/isa_end.h"
