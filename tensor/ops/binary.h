// Elementwise functions of two tensors with NumPy broadcasting.
//
// Dtypes are promoted to the smallest that holds both (docs/dtypes.md): bool < u8, i8 < i32 < i64 <
// f16, bf16 < f32 < f64. Shapes that do not broadcast, or tensors on two devices, are errors.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

// The dtype in which an operation of both computes.
DType promote(DType a, DType b);

Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);      // floating dtypes only
Tensor pow(const Tensor& a, const Tensor& b);      // floating dtypes only
Tensor maximum(const Tensor& a, const Tensor& b);  // NaN wins
Tensor minimum(const Tensor& a, const Tensor& b);  // NaN wins
// The same for a temporary, whose memory takes the result when nobody else sees it and it has the
// result's shape and dtype.
Tensor add(Tensor&& a, const Tensor& b);
Tensor sub(Tensor&& a, const Tensor& b);
Tensor mul(Tensor&& a, const Tensor& b);
Tensor div(Tensor&& a, const Tensor& b);

// a + weight (b - a): a at weight 0, b at weight 1. Floating dtypes.
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight);

// To bool.
Tensor equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor logical_and(const Tensor& a, const Tensor& b);  // nonzero counts as true
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }

// In place on y, broadcasting x to y's shape; y's version is bumped. Floating dtypes, equal.
void add_(Tensor& y, const Tensor& x);
void mul_(Tensor& y, const Tensor& x);
void mul_(Tensor& y, double value);

}  // namespace athanor
