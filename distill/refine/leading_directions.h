// Few directions that hold most of the variance of dense rows.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace athanor::distill {

// x f32 [n, d], centred, on its min(k, n, d) leading principal directions: f32 [n, k], up to a
// rotation, by `steps` of subspace iteration on the covariance from a random start (Halko et al.
// 2011). Where k >= d nothing is lost and x comes back centred. Throws for n, d or k < 1.
Tensor leading_directions(const Tensor& x, std::int64_t k, std::uint64_t seed, int steps = 6);

}  // namespace athanor::distill
