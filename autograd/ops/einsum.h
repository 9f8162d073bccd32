// Sums of products in Einstein's notation, with gradients.
#pragma once

#include <string_view>
#include <vector>

#include "autograd/variable.h"
#include "tensor/ops/einsum.h"

namespace athanor {

// Arguments and errors as in tensor/ops/einsum.h; composed of permutations, reshapes, sums and
// matrix products. The gradient of an operand is the einsum of dy and the others: for c =
// einsum("ij,jk->ik", {a, b}) da = einsum("ik,jk->ij", {dc, b}).
Variable einsum(std::string_view equation, const std::vector<Variable>& operands);

}  // namespace athanor
