// Kernels that are compiled for every instruction set: one declaration a kernel.
#pragma once

#include "tensor/backend/cpu/isa.h"
#include "tensor/backend/kernels.h"

namespace athanor::cpu::ATHANOR_ISA_NAMESPACE {

void copy(const CopyArgs&);
void fill(const FillArgs&);
void unary(const UnaryArgs&);
void binary(const BinaryArgs&);

// Fills the entries of `table` that this instruction set's kernels serve.
void add_isa_kernels(Kernels& table);

}  // namespace athanor::cpu::ATHANOR_ISA_NAMESPACE
