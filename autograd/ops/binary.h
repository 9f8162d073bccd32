// Elementwise functions of two variables with broadcasting, with gradients.
// Arguments and errors as in tensor/ops/binary.h; the gradient of an input that was broadcast is
// summed over the repeated axes.
#pragma once

#include "autograd/ops/unary.h"
#include "autograd/variable.h"
#include "tensor/ops/binary.h"

namespace athanor {

Variable add(const Variable& a, const Variable& b);  // da = dy, db = dy
Variable sub(const Variable& a, const Variable& b);  // da = dy, db = -dy
Variable mul(const Variable& a, const Variable& b);  // da = dy b, db = dy a
Variable div(const Variable& a, const Variable& b);  // da = dy / b, db = -dy y / b
Variable pow(const Variable& a, const Variable& b);  // da = dy b a^(b-1), db = dy y ln a
// da = dy where a > b and db = dy where b > a, 0 elsewhere; dy / 2 each at a tie
Variable maximum(const Variable& a, const Variable& b);
// da = dy where a < b and db = dy where b < a, 0 elsewhere; dy / 2 each at a tie
Variable minimum(const Variable& a, const Variable& b);
// y = a + w (b - a);  da = (1 - w) dy, db = w dy, dw = dy (b - a)
Variable lerp(const Variable& a, const Variable& b, const Variable& weight);

// The same for a temporary whose value the rule does not need: see unary.h.
Variable add(Variable&& a, const Variable& b);  // da = dy, db = dy
Variable sub(Variable&& a, const Variable& b);  // da = dy, db = -dy

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator-(const Variable& a) { return neg(a); }
inline Variable operator+(Variable&& a, const Variable& b) { return add(std::move(a), b); }
inline Variable operator-(Variable&& a, const Variable& b) { return sub(std::move(a), b); }
inline Variable operator-(Variable&& a) { return neg(std::move(a)); }
inline Variable operator+(Variable&& a, double b) { return add(std::move(a), b); }
inline Variable operator-(Variable&& a, double b) { return add(std::move(a), -b); }
inline Variable operator*(Variable&& a, double b) { return mul(std::move(a), b); }
inline Variable operator+(const Variable& a, double b) { return add(a, b); }
inline Variable operator+(double a, const Variable& b) { return add(b, a); }
inline Variable operator-(const Variable& a, double b) { return add(a, -b); }
inline Variable operator-(double a, const Variable& b) { return add(neg(b), a); }
inline Variable operator*(const Variable& a, double b) { return mul(a, b); }
inline Variable operator*(double a, const Variable& b) { return mul(b, a); }
inline Variable operator/(const Variable& a, double b) { return mul(a, 1.0 / b); }
inline Variable operator/(double a, const Variable& b) { return mul(reciprocal(b), a); }

}  // namespace athanor
