// What the operations that bring images to a given size ask of them.
#pragma once

#include "autograd/variable.h"
#include "tensor/base/size2.h"

namespace athanor::detail {

// Throws unless x is a floating [N, C, H, W] with H, W >= 1 and size is >= 1.
inline void check_resized(const char* op, const Variable& x, Size2 size) {
  if (!x.defined() || !is_floating(x.dtype()) || x.rank() != 4 || x.size(2) < 1 || x.size(3) < 1) {
    fail(op, "expected a floating x [N, C, H, W] with H, W >= 1, got ",
         x.defined() ? describe(x.tensor()) : "nothing");
  }
  if (size.h < 1 || size.w < 1) fail(op, "expected a size >= 1, got ", size);
}

}  // namespace athanor::detail
