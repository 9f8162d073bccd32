// The CUDA backend's kernels: the functions behind the entries of the backend table.
//
// Each stands in STEM.cu (own kernels) or STEM.cpp (cuBLASLt, cuDNN) and starts work on
// current_stream() without waiting for it. Pointers are device memory; sizes and strides are host
// memory that lives for the call only.
#pragma once

#include "tensor/backend/kernels.h"

namespace athanor::cuda {

// Fills the entries that are kernels of this project (.cu); cuda.cpp adds those of the libraries.
void add_own_kernels(Kernels& table);

void copy(const CopyArgs& args);
void fill(const FillArgs& args);
void unary(const UnaryArgs& args);
void binary(const BinaryArgs& args);
void matmul(const MatmulArgs& args);
void reduce(const ReduceArgs& args);
void softmax(const SoftmaxArgs& args);
void softmax_grad(const SoftmaxGradArgs& args);
void logsumexp(const LogSumExpArgs& args);
void cross_entropy(const CrossEntropyArgs& args);
void cross_entropy_grad(const CrossEntropyGradArgs& args);
void kl_div(const KlDivArgs& args);
void kl_div_grad(const KlDivGradArgs& args);
void conv2d(const Conv2dArgs& args);
void conv2d_backward_input(const Conv2dArgs& args);
void conv2d_backward_weight(const Conv2dArgs& args);
void max_pool2d(const Pool2dArgs& args);
void max_pool2d_backward(const Pool2dArgs& args);
void max_pool2d_gather(const Pool2dArgs& args);
void avg_pool2d(const Pool2dArgs& args);
void avg_pool2d_backward(const Pool2dArgs& args);
void batch_norm_statistics(const BatchNormStatisticsArgs& args);
void batch_norm(const BatchNormArgs& args);
void batch_norm_backward(const BatchNormBackwardArgs& args);
void row_norm(const RowNormArgs& args);
void row_norm_backward(const RowNormBackwardArgs& args);
void attention(const AttentionArgs& args);
void attention_backward(const AttentionBackwardArgs& args);
void adamw(const AdamWArgs& args);
void index_select(const IndexSelectArgs& args);
void index_add(const IndexAddArgs& args);
void gather(const GatherArgs& args);
void scatter_add(const ScatterAddArgs& args);
void csr_matmul(const CsrMatmulArgs& args);
void csr_dot(const CsrDotArgs& args);
void segment_argmax(const SegmentArgmaxArgs& args);
void where(const WhereArgs& args);
void arg_reduce(const ArgReduceArgs& args);
void sort(const SortArgs& args);
void cumsum(const CumsumArgs& args);
void random(const RandomArgs& args);

}  // namespace athanor::cuda
