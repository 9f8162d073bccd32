// A build without oneDNN and OpenBLAS (-DATHANOR_MATH_LIBRARIES=OFF, the static preset): the own
// kernels serve everything.
#include "tensor/backend/cpu/conv2d_library.h"
#include "tensor/backend/cpu/matmul.h"
#include "tensor/base/error.h"

namespace athanor::cpu {

bool has_math_libraries() { return false; }
bool onednn_has_bf16() { return false; }
bool bf16_products_pay() { return false; }

// Reached through ATHANOR_GEMM alone.
void openblas_matmul(const MatmulArgs&) {
  raise(ErrorKind::usage, "ATHANOR_GEMM: this build has no OpenBLAS; expected own or reference");
}
void onednn_matmul(const MatmulArgs&) {
  raise(ErrorKind::usage, "ATHANOR_GEMM: this build has no oneDNN; expected own or reference");
}

// Never called: conv2d.cpp asks first.
void library_conv2d(const Conv2dArgs&) { throw Error("[conv2d] this build has no oneDNN"); }
void library_conv2d_backward_input(const Conv2dArgs&) {
  throw Error("[conv2d_backward_input] this build has no oneDNN");
}
void library_conv2d_backward_weight(const Conv2dArgs&) {
  throw Error("[conv2d_backward_weight] this build has no oneDNN");
}

}  // namespace athanor::cpu
