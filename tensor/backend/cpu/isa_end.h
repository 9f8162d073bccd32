// Closes the region opened by isa_begin.h.
}  // namespace athanor::cpu::ATHANOR_ISA_NAMESPACE

#if defined(ATHANOR_ISA_AVX512) || defined(ATHANOR_ISA_AVX2)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
