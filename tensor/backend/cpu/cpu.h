// The CPU backend's choices, for `doctor` and tests.
#pragma once

#include <cstdint>

namespace athanor::cpu {

// Instruction sets with kernels of their own, weakest first.
enum class Isa { portable, avx2, avx512 };

const char* name_of(Isa isa);
// The strongest set that this processor and operating system support.
Isa detected_isa();
// The set in use: ATHANOR_ISA if set (portable, avx2, avx512; never above the detected one), else
// the detected one. Fixed at the first call. Throws Error(usage) on another value.
Isa selected_isa();

// The arithmetic limit, for benchmarks: one thread multiplies and adds in registers, `steps` times
// fma_flops_per_step() operations with the selected instruction set.
double fma_flops_per_step();
float run_fma_steps(std::int64_t steps);
// The same of the instruction that quantised products use (vnni.h): multiplications and additions.
double int8_operations_per_step();
std::int32_t run_int8_steps(std::int64_t steps);

}  // namespace athanor::cpu
