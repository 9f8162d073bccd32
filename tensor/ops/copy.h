// Copies: filling, casting, changing layout.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// New tensors of constant value, row-major. Values that an integer dtype does not hold (here, in
// arange and in fill_) are errors.
Tensor full(const Shape& shape, double value, DType dtype = DType::f32);
Tensor zeros(const Shape& shape, DType dtype = DType::f32);
Tensor ones(const Shape& shape, DType dtype = DType::f32);
// 0-dim tensor.
Tensor scalar(double value, DType dtype = DType::f32);
// Same shape, dtype and memory order as `like`.
Tensor full_like(const Tensor& like, double value);
Tensor zeros_like(const Tensor& like);
Tensor ones_like(const Tensor& like);
// first, first + step, ... of `count` values.
Tensor arange(std::int64_t count, DType dtype = DType::i64, double first = 0, double step = 1);

// `count` values from first to last, both included, equally spaced; one value is `first`. Floating
// dtypes.
Tensor linspace(double first, double last, std::int64_t count, DType dtype = DType::f32);
// [n, m] with ones on the main diagonal; m = n unless given. Any dtype.
Tensor eye(std::int64_t n, std::int64_t m = -1, DType dtype = DType::f32);

// Own memory, same values; keeps the order of the axes in memory when x is dense.
Tensor clone(const Tensor& x);
// x itself if it is row-major without gaps, else a row-major copy, which contiguous_count() counts.
Tensor contiguous(const Tensor& x);
// How many copies contiguous() has made in this process, also for operations that need such input.
std::int64_t contiguous_count();
// x itself if it is [N, C, H, W] in N, H, W, C order, else such a copy. Throws unless rank is 4.
Tensor channels_last(const Tensor& x);
// x itself if it has this dtype, else a converted copy (docs/dtypes.md): floating to integer
// truncates, out of range gives the nearest end, NaN 0; integers keep their low bits.
Tensor cast(const Tensor& x, DType dtype);

// In place. Both bump y's version.
void fill_(Tensor& y, double value);
// y = x; x is broadcast to y's shape, dtype is converted.
void copy_(Tensor& y, const Tensor& x);

}  // namespace athanor
