// The entries of the table that are kernels of this project, with their dtypes. The emulation of
// tests/cuda compiles this file too.
#include "tensor/backend/cuda/cuda.h"

namespace athanor::cuda {
void add_own_kernels(Kernels& table) {
  table.copy = {copy, kAllDTypes};
  table.fill = {fill, kAllDTypes};
  table.unary = {unary, kAllDTypes};
  table.unary_grad = {unary_grad, kRealDTypes};
  table.binary = {binary, kAllDTypes};
  table.reduce = {reduce, kAllDTypes};
  table.softmax = {softmax, kRealDTypes};
  table.softmax_grad = {softmax_grad, kRealDTypes};
  table.logsumexp = {logsumexp, kRealDTypes};
  table.cross_entropy = {cross_entropy, kRealDTypes};
  table.cross_entropy_grad = {cross_entropy_grad, kRealDTypes};
  table.kl_div = {kl_div, kRealDTypes};
  table.kl_div_grad = {kl_div_grad, kRealDTypes};
  table.max_pool2d = {max_pool2d, kRealDTypes};
  table.max_pool2d_backward = {max_pool2d_backward, kRealDTypes};
  table.max_pool2d_gather = {max_pool2d_gather, kRealDTypes};
  table.avg_pool2d = {avg_pool2d, kRealDTypes};
  table.avg_pool2d_backward = {avg_pool2d_backward, kRealDTypes};
  table.batch_norm_statistics = {batch_norm_statistics, kRealDTypes};
  table.batch_norm = {batch_norm, kRealDTypes};
  table.batch_norm_backward = {batch_norm_backward, kRealDTypes};
  table.row_norm = {row_norm, kRealDTypes};
  table.row_norm_backward = {row_norm_backward, kRealDTypes};
  table.attention = {attention, kRealDTypes};
  table.attention_backward = {attention_backward, kRealDTypes};
  table.adamw = {adamw, kFloatDTypes};
  table.index_select = {index_select, kAllDTypes};
  table.index_add = {index_add, kNumberDTypes};
  table.gather = {gather, kAllDTypes};
  table.scatter_add = {scatter_add, kNumberDTypes};
  table.csr_matmul = {csr_matmul, kRealDTypes};
  table.csr_dot = {csr_dot, kRealDTypes};
  table.segment_argmax = {segment_argmax, kRealDTypes};
  table.where = {where, kAllDTypes};
  table.arg_reduce = {arg_reduce, kNumberDTypes};
  table.sort = {sort, kNumberDTypes};
  table.cumsum = {cumsum, kNumberDTypes};
  table.random = {random,
                  DTypeSet{DType::f32, DType::f64, DType::f16, DType::bf16, DType::boolean}};
}

}  // namespace athanor::cuda
