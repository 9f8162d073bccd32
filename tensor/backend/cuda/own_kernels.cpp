// The entries of the table that are kernels of this project, with their dtypes. The emulation of
// tests/cuda compiles this file too.
#include "tensor/backend/cuda/cuda.h"

namespace athanor::cuda {

void add_own_kernels(Kernels& table) { table.fill = {fill, kAllDTypes}; }

}  // namespace athanor::cuda
