// Sums of products in Einstein's notation.
#pragma once

#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace athanor {

// einsum("bik,bkj->bij", {a, b}): each operand names its axes by letters; an axis that the output
// does not name is summed, and equal letters run together. Without "->" the output has the letters
// that occur once, in alphabetical order. A letter twice in one operand takes the diagonal. "..."
// stands for the axes that are not named; they broadcast, aligned at the right, and come first in
// an output that is not given. Spaces are ignored.
//
// Operands are joined from left to right, each pair by one batched matrix product, so for more than
// two their order decides the cost. Floating, one dtype. Throws for an equation that is malformed
// or does not fit the operands.
Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

}  // namespace athanor
