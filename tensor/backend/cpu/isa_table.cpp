#include "tensor/backend/cpu/isa_kernels.h"

namespace athanor::cpu::ATHANOR_ISA_NAMESPACE {

void add_isa_kernels(Kernels& table) {
  table.copy = {copy, kAllDTypes};
  table.fill = {fill, kAllDTypes};
  table.unary = {unary, kFloatDTypes};
  table.binary = {binary, kFloatDTypes};
  table.reduce = {reduce, DTypeSet{DType::f32, DType::f64, DType::boolean}};
  table.softmax = {softmax, kFloatDTypes};
  table.softmax_grad = {softmax_grad, kFloatDTypes};
  table.logsumexp = {logsumexp, kFloatDTypes};
  table.cross_entropy = {cross_entropy, kFloatDTypes};
  table.cross_entropy_grad = {cross_entropy_grad, kFloatDTypes};
  table.kl_div = {kl_div, kFloatDTypes};
  table.kl_div_grad = {kl_div_grad, kFloatDTypes};
}

}  // namespace athanor::cpu::ATHANOR_ISA_NAMESPACE
