// Tensors of devices as the host sees them; tensor/ops/device.h is the public way.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// `t` itself when it is on the CPU, else a copy there with the same shape and strides, for code
// that reads elements. Waits for the device.
Tensor to_host(const Tensor& t);

namespace detail {
// y = x across devices, for dense tensors of equal shape, strides and dtype. Waits only when y is
// on the CPU.
void transfer(const Tensor& x, const Tensor& y);
}  // namespace detail

}  // namespace athanor
