// Reading and writing elements by index. Indices are i64 in [0, n); one out of range is an error.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// y[..., i, ...] = x[..., index[i], ...] along `axis`; index is [m]. Any dtype.
Tensor index_select(const Tensor& x, int axis, const Tensor& index);
// Zeros of size n along `axis` with x[..., i, ...] added at index[i]: the reverse of index_select.
// Number dtypes.
Tensor index_add(const Tensor& x, int axis, const Tensor& index, std::int64_t n);
// y = x at the index along `axis`, NumPy's take_along_axis: for axis 1 of a matrix
// y[i, j] = x[i, index[i, j]]. index has x's shape but for `axis`. Any dtype.
Tensor take_along_axis(const Tensor& x, const Tensor& index, int axis);
// Zeros of size n along `axis` with x added at the index: the reverse of take_along_axis. x has the
// index's shape. Number dtypes.
Tensor scatter_add(const Tensor& x, const Tensor& index, int axis, std::int64_t n);
// index [...] -> [..., classes]: 1 at the index, 0 elsewhere.
Tensor one_hot(const Tensor& index, std::int64_t classes, DType dtype = DType::f32);

}  // namespace athanor
