// Operations that change the shape, with gradients. Arguments as in tensor/ops/shape.h.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "autograd/variable.h"
#include "tensor/ops/shape.h"

namespace athanor {

// dx = dy in x's shape
Variable reshape(const Variable& x, Shape shape);
Variable flatten(const Variable& x);
Variable unsqueeze(const Variable& x, int axis);
Variable squeeze(const Variable& x, int axis);
// dx = dy with the axes in their old order
Variable permute(const Variable& x, std::span<const int> axes);
Variable permute(const Variable& x, std::initializer_list<int> axes);
Variable transpose(const Variable& x, int axis0 = -2, int axis1 = -1);
// dx = dy in the slice's place, 0 elsewhere
Variable slice(const Variable& x, int axis, std::int64_t start, std::int64_t stop,
               std::int64_t step = 1);
Variable select(const Variable& x, int axis, std::int64_t index);
// The reverse of slice: zeros of size n along `axis` with x at start, start + step, ...
// dx = the slice of dy
Variable unslice(const Variable& x, int axis, std::int64_t n, std::int64_t start,
                 std::int64_t step = 1);
// dx = the gradients of the parts, joined
std::vector<Variable> split(const Variable& x, const std::vector<std::int64_t>& sizes,
                            int axis = 0);
std::vector<Variable> chunk(const Variable& x, std::int64_t count, int axis = 0);
// dx = dy summed over the added and the repeated axes
Variable expand(const Variable& x, const Shape& shape);
// dx = dy added up at the element that each place of y shows
Variable as_strided(const Variable& x, const Shape& shape, const Strides& strides,
                    std::int64_t offset = 0);

}  // namespace athanor
