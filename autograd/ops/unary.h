// Elementwise functions of one variable, with gradients. Arguments as in tensor/ops/unary.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/unary.h"

namespace athanor {

Variable neg(const Variable& x);         // dx = -dy
Variable abs(const Variable& x);         // dx = dy sign(x)
Variable exp(const Variable& x);         // dx = dy y
Variable log(const Variable& x);         // dx = dy / x
Variable log1p(const Variable& x);       // dx = dy / (1 + x)
Variable expm1(const Variable& x);       // dx = dy (y + 1)
Variable sqrt(const Variable& x);        // dx = dy / (2 y)
Variable rsqrt(const Variable& x);       // dx = -dy y^3 / 2
Variable reciprocal(const Variable& x);  // dx = -dy y^2
Variable sin(const Variable& x);         // dx = dy cos(x)
Variable cos(const Variable& x);         // dx = -dy sin(x)
Variable tanh(const Variable& x);        // dx = dy (1 - y^2)
Variable sigmoid(const Variable& x);     // dx = dy y (1 - y)
Variable erf(const Variable& x);         // dx = dy 2 / sqrt(pi) exp(-x^2)
Variable relu(const Variable& x);        // dx = dy where x > 0, 0 at 0
Variable gelu(const Variable& x);        // dx = dy (Phi(x) + x phi(x))
// With t = tanh(u), u = sqrt(2 / pi) (x + 0.044715 x^3):
// dx = dy ((1 + t) + x (1 - t^2) sqrt(2 / pi) (1 + 3 * 0.044715 x^2)) / 2
Variable gelu_tanh(const Variable& x);
Variable silu(const Variable& x);                             // dx = dy s (1 + x (1 - s))
Variable softplus(const Variable& x);                         // dx = dy sigmoid(x)
Variable leaky_relu(const Variable& x, double slope = 0.01);  // dx = dy where x > 0, else slope dy
Variable elu(const Variable& x, double alpha = 1.0);  // dx = dy where x > 0, else dy (y + alpha)
Variable floor(const Variable& x);                    // dx = 0
Variable round(const Variable& x);                    // dx = 0
Variable sign(const Variable& x);                     // dx = 0
Variable square(const Variable& x);                   // dx = 2 dy x
Variable clamp(const Variable& x, double lowest, double highest);  // dx = dy where kept
Variable add(const Variable& x, double value);                     // dx = dy
Variable mul(const Variable& x, double value);                     // dx = dy value
Variable pow(const Variable& x, double exponent);  // dx = dy exponent x^(exponent - 1)

// The same for a temporary, as in relu(a * b + c): its memory takes the result when nobody else
// sees it, the tape included.
Variable neg(Variable&& x);                // dx = -dy
Variable relu(Variable&& x);               // dx = dy where y > 0, else 0
Variable add(Variable&& x, double value);  // dx = dy
Variable mul(Variable&& x, double value);  // dx = dy value

}  // namespace athanor
