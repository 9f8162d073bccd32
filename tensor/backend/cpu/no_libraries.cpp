// A build without oneDNN and OpenBLAS (-DATHANOR_MATH_LIBRARIES=OFF, the static preset): the own
// kernels serve everything.
#include "tensor/backend/cpu/libraries.h"
#include "tensor/backend/cpu/matmul.h"
#include "tensor/base/error.h"

namespace athanor::cpu {

void add_onednn_kernels(Kernels&) {}
bool onednn_has_bf16() { return false; }

// Reached through ATHANOR_GEMM alone.
void openblas_matmul(const MatmulArgs&) {
  raise(ErrorKind::usage, "ATHANOR_GEMM: this build has no OpenBLAS; expected own or reference");
}
void onednn_matmul(const MatmulArgs&) {
  raise(ErrorKind::usage, "ATHANOR_GEMM: this build has no oneDNN; expected own or reference");
}

}  // namespace athanor::cpu
