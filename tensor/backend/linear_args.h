// Arguments of the fused linear layer of devices; the CPU composes it of a product and a sum.
#pragma once

#include "tensor/backend/args.h"

namespace athanor {

// product.z = product.x product.y + bias, the bias [N] (contiguous, of the same dtype) added to
// every row. Decided by x's dtype.
struct LinearArgs {
  MatmulArgs product;
  Operand bias;
};

}  // namespace athanor
