// Names the instruction set for which a kernel file is being compiled.
//
// The files listed under ATHANOR_ISA_KERNELS in tensor/CMakeLists.txt are compiled once for each
// instruction set with one of ATHANOR_ISA_PORTABLE, ATHANOR_ISA_AVX2, ATHANOR_ISA_AVX512 defined.
// Between isa_begin.h and isa_end.h, functions are compiled for that set and live in its namespace;
// everything included before keeps the portable target, so that no inline function of a standard
// header is ever emitted with instructions a CPU may lack. Hence: all includes come before
// isa_begin.h, kernels call no heavy library template in inner loops.
#pragma once

#if defined(ATHANOR_ISA_AVX512)
#define ATHANOR_ISA_NAMESPACE avx512
#elif defined(ATHANOR_ISA_AVX2)
#define ATHANOR_ISA_NAMESPACE avx2
#else
#define ATHANOR_ISA_NAMESPACE portable
#endif

// Before a loop over registers, whose few turns are known: unrolls it, which GCC leaves to -O3.
#if defined(__clang__)
#define ATHANOR_UNROLL _Pragma("unroll")
#else
#define ATHANOR_UNROLL _Pragma("GCC unroll 16")
#endif

// Before a loop over values that no turn of it shares with another: spares the compiler's check at
// run time, which costs as much as a short loop.
#if defined(__clang__)
#define ATHANOR_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define ATHANOR_INDEPENDENT _Pragma("GCC ivdep")
#endif

// For small functions inside vector loops: one call is enough to keep a loop scalar.
#define ATHANOR_INLINE inline __attribute__((always_inline))

// For a function with such a loop: everything that it calls is inlined.
#define ATHANOR_FLATTEN __attribute__((flatten))
