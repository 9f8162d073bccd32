// Dropout (Srivastava 2014).
#pragma once

#include "autograd/variable.h"
#include "tensor/random.h"

namespace athanor {

// In training: x, of any shape, with each element set to 0 with probability p, the others divided
// by 1 - p, so that the mean stays; dx = dy under the same mask. x itself otherwise. p in [0, 1);
// the generator advances by x.numel() words when it is used. Floating dtypes. Throws unless p is in
// range.
Variable dropout(const Variable& x, double p, Generator& generator, bool training = true);

}  // namespace athanor
