// The dtype behind a dtype.
#pragma once

#include "tensor/base/dtype.h"

namespace athanor {

// The dtype in which values of `t` are computed and kept between passes: f32 for f16 and bf16.
inline DType compute_dtype(DType t) { return t == DType::f16 || t == DType::bf16 ? DType::f32 : t; }

}  // namespace athanor
