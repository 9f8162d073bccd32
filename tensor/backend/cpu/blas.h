// Kernels of the CPU backend that call libraries and are compiled once.
#pragma once

#include "tensor/backend/kernels.h"

namespace athanor::cpu {

void matmul(const MatmulArgs&);

}  // namespace athanor::cpu
