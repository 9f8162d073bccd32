// The entries of the table that are kernels of this project, with their dtypes. The emulation of
// tests/cuda compiles this file too.
#include "tensor/backend/cuda/cuda.h"

namespace athanor::cuda {
namespace {

constexpr DTypeSet kReal{DType::f32, DType::f64, DType::f16, DType::bf16};
constexpr DTypeSet kNumbers{DType::f32, DType::f64, DType::f16, DType::bf16,
                            DType::i8,  DType::u8,  DType::i32, DType::i64};

}  // namespace

void add_own_kernels(Kernels& table) {
  table.copy = {copy, kAllDTypes};
  table.fill = {fill, kAllDTypes};
  table.unary = {unary, kAllDTypes};
  table.binary = {binary, kAllDTypes};
  table.reduce = {reduce, kAllDTypes};
  table.softmax = {softmax, kReal};
  table.softmax_grad = {softmax_grad, kReal};
  table.logsumexp = {logsumexp, kReal};
  table.cross_entropy = {cross_entropy, kReal};
  table.cross_entropy_grad = {cross_entropy_grad, kReal};
  table.kl_div = {kl_div, kReal};
  table.kl_div_grad = {kl_div_grad, kReal};
  table.max_pool2d = {max_pool2d, kReal};
  table.max_pool2d_backward = {max_pool2d_backward, kReal};
  table.max_pool2d_gather = {max_pool2d_gather, kReal};
  table.avg_pool2d = {avg_pool2d, kReal};
  table.avg_pool2d_backward = {avg_pool2d_backward, kReal};
  table.batch_norm_statistics = {batch_norm_statistics, kReal};
  table.batch_norm = {batch_norm, kReal};
  table.batch_norm_backward = {batch_norm_backward, kReal};
  table.row_norm = {row_norm, kReal};
  table.row_norm_backward = {row_norm_backward, kReal};
  table.attention = {attention, kReal};
  table.attention_backward = {attention_backward, kReal};
  table.adamw = {adamw, kFloatDTypes};
  table.index_select = {index_select, kAllDTypes};
  table.index_add = {index_add, kNumbers};
  table.gather = {gather, kAllDTypes};
  table.scatter_add = {scatter_add, kNumbers};
  table.csr_matmul = {csr_matmul, kReal};
  table.csr_dot = {csr_dot, kReal};
  table.segment_argmax = {segment_argmax, kReal};
  table.where = {where, kAllDTypes};
  table.arg_reduce = {arg_reduce, kNumbers};
  table.sort = {sort, kNumbers};
  table.cumsum = {cumsum, kNumbers};
  table.random = {random,
                  DTypeSet{DType::f32, DType::f64, DType::f16, DType::bf16, DType::boolean}};
}

}  // namespace athanor::cuda
