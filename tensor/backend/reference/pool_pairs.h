// Pooling of what a convolution gives, for the references that do both.
#pragma once

#include "tensor/backend/reference/reference.h"

namespace athanor::reference {

// y = the largest of each 2 x 2 window of x [N, C, H, W]; NaN wins.
template <class T>
void pool_pairs(const Operand& x, const Operand& y) {
  Index at(y.sizes, 4);
  for (std::int64_t i = y.numel(); i > 0; --i, at.next()) {
    const T* from = x.as<T>() + at[0] * x.strides[0] + at[1] * x.strides[1] +
                    2 * at[2] * x.strides[2] + 2 * at[3] * x.strides[3];
    T best = from[0];
    for (const std::int64_t offset : {x.strides[3], x.strides[2], x.strides[2] + x.strides[3]}) {
      if (from[offset] > best || from[offset] != from[offset]) best = from[offset];
    }
    y.as<T>()[at.offset(y.strides)] = best;
  }
}

}  // namespace athanor::reference
