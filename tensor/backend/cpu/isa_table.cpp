#include "tensor/backend/cpu/isa_kernels.h"

namespace athanor::cpu::ATHANOR_ISA_NAMESPACE {

void add_isa_kernels(Kernels& table) {
  table.copy = {copy, kAllDTypes};
  table.fill = {fill, kAllDTypes};
  table.unary = {unary, kFloatDTypes};
  table.binary = {binary, kFloatDTypes};
}

}  // namespace athanor::cpu::ATHANOR_ISA_NAMESPACE
