#include "tensor/backend/cpu/isa_conv2d.h"
#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/kernels.h"

namespace athanor::cpu::ATHANOR_ISA_NAMESPACE {
void add_isa_kernels(Kernels& table) {
  table.copy = {copy, kAllDTypes};
  table.fill = {fill, kAllDTypes};
  constexpr DTypeSet kReal{DType::f32, DType::f64, DType::f16, DType::bf16};
  table.unary = {unary, kReal};
  table.unary_grad = {unary_grad, kReal};
  table.binary = {binary, kFloatDTypes};
  table.matmul = {matmul, kRealDTypes};
  table.adamw = {adamw, kFloatDTypes};
  table.reduce = {reduce, DTypeSet{DType::f32, DType::f64, DType::boolean}};
  table.softmax = {softmax, kFloatDTypes};
  table.softmax_grad = {softmax_grad, kFloatDTypes};
  table.logsumexp = {logsumexp, kFloatDTypes};
  table.cross_entropy = {cross_entropy, kFloatDTypes};
  table.cross_entropy_grad = {cross_entropy_grad, kFloatDTypes};
  table.kl_div = {kl_div, kFloatDTypes};
  table.kl_div_grad = {kl_div_grad, kFloatDTypes};
  table.conv2d = {conv2d, kFloatDTypes};
  table.conv2d_backward_input = {conv2d_backward_input, kFloatDTypes};
  table.conv2d_backward_weight = {conv2d_backward_weight, kFloatDTypes};
  table.conv2d_batch_norm_backward = {conv2d_batch_norm_backward, kFloatDTypes};
  table.max_pool2d = {max_pool2d, DTypeSet{DType::f32, DType::f64, DType::u8}};
  table.max_pool2d_backward = {max_pool2d_backward, kFloatDTypes};
  table.max_pool2d_gather = {max_pool2d_gather, kFloatDTypes};
  table.avg_pool2d = {avg_pool2d, kFloatDTypes};
  table.avg_pool2d_backward = {avg_pool2d_backward, kFloatDTypes};
  table.batch_norm_statistics = {batch_norm_statistics, kFloatDTypes};
  table.batch_norm = {batch_norm, kFloatDTypes};
  table.batch_norm_backward = {batch_norm_backward, kFloatDTypes};
  table.row_norm = {row_norm, kRealDTypes};
  table.row_norm_backward = {row_norm_backward, kRealDTypes};
  table.attention = {attention, kRealDTypes};
  table.attention_backward = {attention_backward, kRealDTypes};
  constexpr DTypeSet kBytes{DType::i8, DType::u8};
  table.quantize = {quantize, DTypeSet{DType::f32}};
  table.dequantize = {dequantize, kBytes};
  table.pack_quantized = {pack_quantized, DTypeSet{DType::i8}};
  table.quantized_conv2d = {quantized_conv2d, DTypeSet{DType::u8}};
  table.quantized_add = {quantized_add, DTypeSet{DType::u8}};
  table.quantized_avg_pool = {quantized_avg_pool, DTypeSet{DType::u8}};
  table.index_select = {index_select, kAllDTypes};
  table.index_add = {index_add, kFloatDTypes};
  table.gather = {gather, kAllDTypes};
  table.scatter_add = {scatter_add, kFloatDTypes};
  table.csr_matmul = {csr_matmul, kFloatDTypes};
  table.csr_dot = {csr_dot, kFloatDTypes};
  table.segment_argmax = {segment_argmax, kFloatDTypes};
  table.where = {where, kAllDTypes};
}

}  // namespace athanor::cpu::ATHANOR_ISA_NAMESPACE
