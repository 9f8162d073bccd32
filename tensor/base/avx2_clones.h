// ATHANOR_AVX2_CLONES before a function: one copy of it for each instruction set, of which the
// loader picks one. Not for AVX-512, whose fused multiply-add would give other bits, but for
// ATHANOR_VECTOR_CLONES in a file that is compiled with -ffp-contract=off. Sanitizers run before
// the loader's choice can be made.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ATHANOR_AVX2_CLONES __attribute__((target_clones("avx2", "default")))
#define ATHANOR_VECTOR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ATHANOR_AVX2_CLONES
#define ATHANOR_VECTOR_CLONES
#endif
