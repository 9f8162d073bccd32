// oneDNN's convolutions (onednn_conv2d.cpp), f32; where has_math_libraries() (matmul.h).
#pragma once

#include "tensor/backend/conv_args.h"

namespace athanor::cpu {

// Throw where there is no library.
void library_conv2d(const Conv2dArgs& args);
void library_conv2d_backward_input(const Conv2dArgs& args);
void library_conv2d_backward_weight(const Conv2dArgs& args);

}  // namespace athanor::cpu
