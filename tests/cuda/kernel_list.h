// Every entry of the backend table by name, for tests that look at all of them.
#pragma once

#include "tensor/backend/kernels.h"

namespace athanor::test {

// Calls f.operator()<&Kernels::copy>("copy") and so on.
template <class F>
void for_each_kernel(F&& f) {
  int count = 0;
  const auto visit = [&]<auto entry>(const char* name) {
    ++count;
    f.template operator()<entry>(name);
  };
#define ATHANOR_KERNEL(name) visit.template operator()<&Kernels::name>(#name)
  ATHANOR_KERNEL(copy);
  ATHANOR_KERNEL(fill);
  ATHANOR_KERNEL(unary);
  ATHANOR_KERNEL(unary_grad);
  ATHANOR_KERNEL(binary);
  ATHANOR_KERNEL(matmul);
  ATHANOR_KERNEL(reduce);
  ATHANOR_KERNEL(softmax);
  ATHANOR_KERNEL(softmax_grad);
  ATHANOR_KERNEL(logsumexp);
  ATHANOR_KERNEL(cross_entropy);
  ATHANOR_KERNEL(cross_entropy_grad);
  ATHANOR_KERNEL(kl_div);
  ATHANOR_KERNEL(kl_div_grad);
  ATHANOR_KERNEL(conv2d);
  ATHANOR_KERNEL(conv2d_backward_input);
  ATHANOR_KERNEL(conv2d_backward_weight);
  ATHANOR_KERNEL(max_pool2d);
  ATHANOR_KERNEL(max_pool2d_backward);
  ATHANOR_KERNEL(max_pool2d_gather);
  ATHANOR_KERNEL(avg_pool2d);
  ATHANOR_KERNEL(avg_pool2d_backward);
  ATHANOR_KERNEL(batch_norm_statistics);
  ATHANOR_KERNEL(batch_norm);
  ATHANOR_KERNEL(batch_norm_backward);
  ATHANOR_KERNEL(conv2d_batch_norm_backward);
  ATHANOR_KERNEL(row_norm);
  ATHANOR_KERNEL(row_norm_backward);
  ATHANOR_KERNEL(attention);
  ATHANOR_KERNEL(attention_backward);
  ATHANOR_KERNEL(adamw);
  ATHANOR_KERNEL(index_select);
  ATHANOR_KERNEL(index_add);
  ATHANOR_KERNEL(gather);
  ATHANOR_KERNEL(scatter_add);
  ATHANOR_KERNEL(csr_matmul);
  ATHANOR_KERNEL(csr_dot);
  ATHANOR_KERNEL(segment_argmax);
  ATHANOR_KERNEL(where);
  ATHANOR_KERNEL(arg_reduce);
  ATHANOR_KERNEL(sort);
  ATHANOR_KERNEL(cumsum);
  ATHANOR_KERNEL(quantize);
  ATHANOR_KERNEL(dequantize);
  ATHANOR_KERNEL(pack_quantized);
  ATHANOR_KERNEL(quantized_conv2d);
  ATHANOR_KERNEL(quantized_add);
  ATHANOR_KERNEL(quantized_avg_pool);
  ATHANOR_KERNEL(random);
#undef ATHANOR_KERNEL
  if (count * sizeof(Kernel<CopyArgs>) != sizeof(Kernels)) {
    fail("for_each_kernel", "tests/cuda/kernel_list.h names ", count, " entries of ",
         sizeof(Kernels) / sizeof(Kernel<CopyArgs>), ": add the new ones");
  }
}

}  // namespace athanor::test
