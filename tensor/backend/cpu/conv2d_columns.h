// Convolution as a matrix product over columns: every shape, f32 and f64. What the direct kernel
// and oneDNN leave.
#pragma once

#include "tensor/backend/conv_args.h"

namespace athanor::cpu {

void columns_conv2d(const Conv2dArgs& args);
void columns_conv2d_backward_input(const Conv2dArgs& args);
void columns_conv2d_backward_weight(const Conv2dArgs& args);

}  // namespace athanor::cpu
