// Kernels that are compiled for every instruction set: one declaration a kernel.
#pragma once

#include "tensor/backend/args.h"
#include "tensor/backend/attention_args.h"
#include "tensor/backend/conv_args.h"
#include "tensor/backend/cpu/isa.h"
#include "tensor/backend/norm_args.h"
#include "tensor/backend/quantized_args.h"

namespace athanor {
struct Kernels;  // only isa_table.cpp looks inside: a new kernel leaves the others compiled
}

namespace athanor::cpu::ATHANOR_ISA_NAMESPACE {

void copy(const CopyArgs&);
void fill(const FillArgs&);
void unary(const UnaryArgs&);
void unary_grad(const UnaryGradArgs&);
void binary(const BinaryArgs&);
void matmul(const MatmulArgs&);
void adamw(const AdamWArgs&);
void reduce(const ReduceArgs&);
void index_select(const IndexSelectArgs&);
void index_add(const IndexAddArgs&);
void gather(const GatherArgs&);
void scatter_add(const ScatterAddArgs&);
void csr_matmul(const CsrMatmulArgs&);
void csr_dot(const CsrDotArgs&);
void segment_argmax(const SegmentArgmaxArgs&);
void where(const WhereArgs&);
void softmax(const SoftmaxArgs&);
void softmax_grad(const SoftmaxGradArgs&);
void logsumexp(const LogSumExpArgs&);
void cross_entropy(const CrossEntropyArgs&);
void cross_entropy_grad(const CrossEntropyGradArgs&);
void kl_div(const KlDivArgs&);
void kl_div_grad(const KlDivGradArgs&);
void max_pool2d(const Pool2dArgs&);
void max_pool2d_backward(const Pool2dArgs&);
void max_pool2d_gather(const Pool2dArgs&);
void avg_pool2d(const Pool2dArgs&);
void avg_pool2d_backward(const Pool2dArgs&);
void batch_norm_statistics(const BatchNormStatisticsArgs&);
void batch_norm(const BatchNormArgs&);
void batch_norm_backward(const BatchNormBackwardArgs&);
void row_norm(const RowNormArgs&);
void row_norm_backward(const RowNormBackwardArgs&);
void quantize(const QuantizeArgs&);
void dequantize(const DequantizeArgs&);
void pack_quantized(const PackQuantizedArgs&);
void quantized_conv2d(const QuantizedConv2dArgs&);
void quantized_add(const QuantizedAddArgs&);
void quantized_avg_pool(const QuantizedAvgPoolArgs&);
void attention(const AttentionArgs&);
void attention_backward(const AttentionBackwardArgs&);

// Fills the entries of `table` that this instruction set's kernels serve.
void add_isa_kernels(Kernels& table);

}  // namespace athanor::cpu::ATHANOR_ISA_NAMESPACE
