// The gradients of a convolution with batch norm, by the kernels of the two one after the other.
#pragma once

#include "tensor/backend/conv_args.h"

namespace athanor {

// `dz` has room for as many values as the convolution's result.
inline void backward_apart(const Conv2dBatchNormBackwardArgs& a, void* dz,
                           void (*norm)(const BatchNormBackwardArgs&),
                           void (*input)(const Conv2dArgs&), void (*weight)(const Conv2dArgs&)) {
  BatchNormBackwardArgs first = a.norm;
  first.dx = a.norm.x;
  first.dx.data = dz;
  norm(first);
  Conv2dArgs second = a.conv;
  second.y.data = dz;
  if (a.dx.data) {
    Conv2dArgs to_input = second;
    to_input.x = a.dx;
    input(to_input);
  }
  second.w = a.dw;
  second.b = a.db;
  weight(second);
}

}  // namespace athanor
