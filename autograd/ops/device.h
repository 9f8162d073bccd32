// Moving between devices, with gradients. Arguments and errors as in tensor/ops/device.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/device.h"

namespace athanor {

// dx = dy on x's device
Variable to(const Variable& x, Device device);

}  // namespace athanor
