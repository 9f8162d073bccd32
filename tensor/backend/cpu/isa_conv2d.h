// The convolution kernels that are compiled for every instruction set (see isa_kernels.h); apart,
// because outside of them only the choice in conv2d.cpp calls them.
#pragma once

#include "tensor/backend/conv_args.h"
#include "tensor/backend/cpu/isa.h"

namespace athanor::cpu::ATHANOR_ISA_NAMESPACE {

void conv2d(const Conv2dArgs&);
void conv2d_backward_input(const Conv2dArgs&);
void conv2d_backward_weight(const Conv2dArgs&);
void conv2d_batch_norm_backward(const Conv2dBatchNormBackwardArgs&);

}  // namespace athanor::cpu::ATHANOR_ISA_NAMESPACE
