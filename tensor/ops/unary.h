// Elementwise functions of one tensor. Each returns a new tensor of the input's shape and memory
// order. Unless a line says otherwise the input is floating and the result has its dtype; another
// dtype is an error that names the op.
#pragma once

#include "tensor/tensor.h"

namespace athanor {

Tensor neg(const Tensor& x);  // any dtype but bool and u8
Tensor abs(const Tensor& x);  // any dtype but bool
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor log1p(const Tensor& x);  // log(1 + x)
Tensor expm1(const Tensor& x);  // exp(x) - 1
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);       // 1 / sqrt(x)
Tensor reciprocal(const Tensor& x);  // 1 / x
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);  // 1 / (1 + exp(-x))
Tensor erf(const Tensor& x);
Tensor relu(const Tensor& x);       // max(x, 0); any dtype but bool
Tensor gelu(const Tensor& x);       // x Phi(x), exact, with erf (Hendrycks & Gimpel 2016)
Tensor gelu_tanh(const Tensor& x);  // its tanh approximation
Tensor silu(const Tensor& x);       // x sigmoid(x)
Tensor softplus(const Tensor& x);   // log(1 + exp(x))
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
Tensor elu(const Tensor& x, double alpha = 1.0);
Tensor floor(const Tensor& x);
Tensor round(const Tensor& x);   // halves to even
Tensor sign(const Tensor& x);    // -1, 0, 1; any dtype but bool
Tensor square(const Tensor& x);  // any dtype but bool
// Limits values to [lowest, highest]; NaN stays. Throws when lowest > highest. Any dtype but bool.
Tensor clamp(const Tensor& x, double lowest, double highest);
// In x's dtype, any but bool; an integer dtype must hold the value.
Tensor add(const Tensor& x, double value);
Tensor mul(const Tensor& x, double value);
Tensor pow(const Tensor& x, double exponent);
Tensor isfinite(const Tensor& x);     // to bool; any dtype
Tensor isnan(const Tensor& x);        // to bool; any dtype
Tensor logical_not(const Tensor& x);  // to bool: x == 0; any dtype

// Gradients dx = dy f'(x) in one pass, from the result y or the input x; dy has its shape and
// dtype. The memory of a dy that is given away takes the result when nobody else sees it.
Tensor relu_grad(const Tensor& y, Tensor dy);  // 0 where y <= 0, whatever dy is
Tensor tanh_grad(const Tensor& y, Tensor dy);
Tensor sigmoid_grad(const Tensor& y, Tensor dy);
Tensor gelu_grad(const Tensor& x, Tensor dy);
Tensor gelu_tanh_grad(const Tensor& x, Tensor dy);
Tensor silu_grad(const Tensor& x, Tensor dy);

// The same for a temporary, whose memory takes the result when nobody else sees it.
Tensor neg(Tensor&& x);
Tensor exp(Tensor&& x);
Tensor relu(Tensor&& x);
Tensor add(Tensor&& x, double value);
Tensor mul(Tensor&& x, double value);

}  // namespace athanor
