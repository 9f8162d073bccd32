#include "tensor/backend/reference/reference.h"

namespace athanor {
const Kernels& reference_kernels() {
  static const Kernels table = [] {
    Kernels t;
    constexpr DTypeSet kPooled{DType::f32, DType::f64, DType::f16, DType::bf16, DType::u8};
    t.copy = {reference::copy, kAllDTypes};
    t.fill = {reference::fill, kAllDTypes};
    t.unary = {reference::unary, kAllDTypes};
    t.unary_grad = {reference::unary_grad, kRealDTypes};
    t.binary = {reference::binary, kAllDTypes};
    t.matmul = {reference::matmul, DTypeSet{DType::f32, DType::f64, DType::f16, DType::bf16}};
    t.adamw = {reference::adamw, kFloatDTypes};
    t.reduce = {reference::reduce, kAllDTypes};
    t.softmax = {reference::softmax, kRealDTypes};
    t.softmax_grad = {reference::softmax_grad, kRealDTypes};
    t.logsumexp = {reference::logsumexp, kRealDTypes};
    t.cross_entropy = {reference::cross_entropy, kRealDTypes};
    t.cross_entropy_grad = {reference::cross_entropy_grad, kRealDTypes};
    t.kl_div = {reference::kl_div, kRealDTypes};
    t.kl_div_grad = {reference::kl_div_grad, kRealDTypes};
    t.conv2d = {reference::conv2d, kRealDTypes};
    t.conv2d_backward_input = {reference::conv2d_backward_input, kRealDTypes};
    t.conv2d_backward_weight = {reference::conv2d_backward_weight, kRealDTypes};
    t.max_pool2d = {reference::max_pool2d, kPooled};
    t.max_pool2d_backward = {reference::max_pool2d_backward, kRealDTypes};
    t.max_pool2d_gather = {reference::max_pool2d_gather, kRealDTypes};
    t.avg_pool2d = {reference::avg_pool2d, kRealDTypes};
    t.avg_pool2d_backward = {reference::avg_pool2d_backward, kRealDTypes};
    t.batch_norm_statistics = {reference::batch_norm_statistics, kFloatDTypes};
    t.batch_norm = {reference::batch_norm, kFloatDTypes};
    t.batch_norm_backward = {reference::batch_norm_backward, kFloatDTypes};
    t.conv2d_batch_norm_backward = {reference::conv2d_batch_norm_backward, kFloatDTypes};
    t.row_norm = {reference::row_norm, kRealDTypes};
    t.row_norm_backward = {reference::row_norm_backward, kRealDTypes};
    t.attention = {reference::attention, kRealDTypes};
    t.attention_backward = {reference::attention_backward, kRealDTypes};
    t.index_select = {reference::index_select, kAllDTypes};
    t.index_add = {reference::index_add, kNumberDTypes};
    t.gather = {reference::gather, kAllDTypes};
    t.scatter_add = {reference::scatter_add, kNumberDTypes};
    t.csr_matmul = {reference::csr_matmul, kRealDTypes};
    t.csr_dot = {reference::csr_dot, kRealDTypes};
    t.segment_argmax = {reference::segment_argmax, kRealDTypes};
    t.where = {reference::where, kAllDTypes};
    t.arg_reduce = {reference::arg_reduce, kNumberDTypes};
    t.sort = {reference::sort, kNumberDTypes};
    constexpr DTypeSet kBytes{DType::i8, DType::u8};
    t.quantize = {reference::quantize, DTypeSet{DType::f32}};
    t.dequantize = {reference::dequantize, kBytes};
    t.quantized_conv2d = {reference::quantized_conv2d, DTypeSet{DType::u8}};
    t.quantized_add = {reference::quantized_add, DTypeSet{DType::u8}};
    t.quantized_avg_pool = {reference::quantized_avg_pool, DTypeSet{DType::u8}};
    t.cumsum = {reference::cumsum, kNumberDTypes};
    return t;
  }();
  return table;
}

}  // namespace athanor
