#include "tests/cuda/emulated_kernels.h"

#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/fallback.h"
#include "tensor/backend/cuda/stream.h"
#include "tensor/base/error.h"

namespace athanor::test {
Kernels emulated_kernels() {
  Kernels table;
  cuda::add_own_kernels(table);
  table.matmul = {cuda::matmul_tiled, kRealDTypes};
  table.conv2d = {cuda::conv2d_direct, kRealDTypes};
  table.conv2d_backward_input = {cuda::conv2d_direct_backward_input, kRealDTypes};
  table.conv2d_backward_weight = {cuda::conv2d_direct_backward_weight, kRealDTypes};
  return table;
}

void check_emulated_indices() {
  std::int32_t& word = *cuda::index_error();
  if (word == 0) return;
  word = 0;
  fail("cuda", "an operation since the last copy to the host met an index out of range");
}

}  // namespace athanor::test
