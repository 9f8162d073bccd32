// Operations that change the shape. All but `reshape` of awkward strides return views that share
// memory with their input. Axes may be negative: -1 is the last. Any dtype. All throw for an axis
// out of range and for sizes that do not fit.
#pragma once

#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace athanor {

// NumPy broadcasting: sizes are aligned at the right and must be equal or 1.
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);

// Same elements in row-major order under a new shape; one size may be -1. A view where the strides
// allow it, else a row-major copy.
Tensor reshape(const Tensor& x, Shape shape);
// [N, ...] -> [N, product of the rest] in NCHW order, also when x is channels-last in memory.
Tensor flatten(const Tensor& x);
// axes[i] says which axis of x becomes axis i.
Tensor permute(const Tensor& x, std::span<const int> axes);
Tensor permute(const Tensor& x, std::initializer_list<int> axes);
Tensor transpose(const Tensor& x, int axis0 = -2, int axis1 = -1);
// Elements start, start + step, ... below stop along `axis`; step > 0. Negative bounds count from
// the end; bounds beyond the size are cut, as in Python.
Tensor slice(const Tensor& x, int axis, std::int64_t start, std::int64_t stop,
             std::int64_t step = 1);
// One index of `axis`, which disappears.
Tensor select(const Tensor& x, int axis, std::int64_t index);
// Consecutive slices of the given sizes along `axis`; the sizes add up to the axis' size.
std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis = 0);
// At most `count` slices of equal size, rounded up, along `axis`; the last may be smaller. An empty
// axis gives one empty slice.
std::vector<Tensor> chunk(const Tensor& x, std::int64_t count, int axis = 0);
// The sizes of those slices, for an axis of size n.
std::vector<std::int64_t> chunk_sizes(std::int64_t n, std::int64_t count);
// Repeats axes of size 1 (stride 0) and adds axes at the left.
Tensor expand(const Tensor& x, const Shape& shape);
// A view of x, which must be row-major without gaps, under any shape, strides >= 0 and offset (in
// elements, from x's first one), such as the windows of a signal. Throws when an element would lie
// outside of x. Elements may overlap: such a view is for reading.
Tensor as_strided(const Tensor& x, const Shape& shape, const Strides& strides,
                  std::int64_t offset = 0);
// Adds an axis of size 1 before `axis` in [-rank - 1, rank].
Tensor unsqueeze(const Tensor& x, int axis);
// Drops `axis`, which must have size 1.
Tensor squeeze(const Tensor& x, int axis);

}  // namespace athanor
