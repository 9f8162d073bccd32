// The ways to multiply matrices on the CPU, and the choice between them.
#pragma once

#include "tensor/backend/kernels.h"

namespace athanor::cpu {

// own: gemm.cpp, f16 and bf16 included. The first two give the same bits at every thread count;
// oneDNN's may change.
enum class GemmPath { own, openblas, onednn, reference };

const char* name_of(GemmPath path);
// What matmul() takes for this product: ATHANOR_GEMM if set, else the own kernel.
// Throws Error(usage) on an unknown value of ATHANOR_GEMM.
GemmPath gemm_path(const MatmulArgs& args);

// All floating dtypes.
void matmul(const MatmulArgs&);

// The own kernel of the instruction set in use, set when the backend table is made; all floating
// dtypes, f16 and bf16 as products and sums in f32 that are rounded once.
extern void (*own_matmul)(const MatmulArgs&);
// Whether this build has OpenBLAS and oneDNN. Without them the functions of the two throw.
bool has_math_libraries();
// OpenBLAS on one thread inside tiles cut by shape; f32 and f64.
void openblas_matmul(const MatmulArgs&);
// oneDNN on its own threads. f32; bf16 where onednn_has_bf16().
void onednn_matmul(const MatmulArgs&);
// Whether the CPU multiplies bf16 natively (AVX512-BF16 or AMX), within ATHANOR_ISA.
bool onednn_has_bf16();
// Whether those instructions are faster than f32 ones on the same values, where onednn_has_bf16():
// with AMX, and else by a measurement of some microseconds, once a process.
bool bf16_products_pay();

}  // namespace athanor::cpu
