// Copies: filling, casting, changing layout.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// New tensors of the given shape and constant value, row-major. Values that an integer dtype does
// not hold (here, in arange and in fill_) are errors.
Tensor full(const Shape& shape, double value, DType dtype = DType::f32);
Tensor zeros(const Shape& shape, DType dtype = DType::f32);
Tensor ones(const Shape& shape, DType dtype = DType::f32);
// 0-dim tensor of any dtype; throws as full does.
Tensor scalar(double value, DType dtype = DType::f32);
// Same shape, dtype and memory order as `like`, on its device; full_like throws as full does.
Tensor full_like(const Tensor& like, double value);
Tensor zeros_like(const Tensor& like);
Tensor ones_like(const Tensor& like);
// first, first + step, ... of `count` values, [count]. Throws for count < 0, and for values that an
// integer dtype does not hold.
Tensor arange(std::int64_t count, DType dtype = DType::i64, double first = 0, double step = 1);

// `count` values from first to last, both included, equally spaced, [count]; one value is `first`.
// Floating dtypes. Throws for another dtype and for count < 0.
Tensor linspace(double first, double last, std::int64_t count, DType dtype = DType::f32);
// [n, m] with ones on the main diagonal; m = n unless given. Any dtype. Throws for n < 0.
Tensor eye(std::int64_t n, std::int64_t m = -1, DType dtype = DType::f32);

// Own memory, same shape, dtype and values, any dtype; throws for an undefined tensor; keeps the
// order of the axes in memory when x is dense.
Tensor clone(const Tensor& x);
// x itself, of any shape and dtype, if it is row-major without gaps, else a row-major copy, which
// contiguous_count() counts. Throws for an undefined tensor.
Tensor contiguous(const Tensor& x);
// How many copies contiguous() has made in this process, also for operations that need such input.
std::int64_t contiguous_count();
// x itself if it is [N, C, H, W] in N, H, W, C order, else such a copy. Any dtype. Throws
// unless rank is 4.
Tensor channels_last(const Tensor& x);
// x itself if it has this dtype, else a converted copy of x's shape (docs/dtypes.md): floating to
// integer truncates, out of range gives the nearest end, NaN 0; integers keep their low bits.
// Throws for an undefined tensor.
Tensor cast(const Tensor& x, DType dtype);

// In place, any shape and dtype. Both bump y's version and throw for an undefined tensor.
void fill_(Tensor& y, double value);
// y = x; x is broadcast to y's shape (an error if it cannot be), dtype is converted.
void copy_(Tensor& y, const Tensor& x);

}  // namespace athanor
