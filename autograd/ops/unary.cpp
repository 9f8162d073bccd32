#include "autograd/ops/unary.h"

#include <numbers>

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/device.h"

namespace athanor {
namespace {

// dx = dy f'(x); `derivative` gets x as a Variable.
template <class Derivative>
Variable from_input(const char* op, const Variable& x, Tensor y, Derivative derivative) {
  return record(op, std::move(y), {x},
                [x = Saved(x), derivative](const Variable& dy, Gradients& d) {
                  d.set(0, mul(dy, derivative(x.get(d))));
                });
}

// dx = dy f'(x), with f' written in terms of y.
template <class Derivative>
Variable from_output(const char* op, const Variable& x, Tensor y, Derivative derivative) {
  SavedOutput saved(y);
  return record(op, std::move(y), {x},
                [y = std::move(saved), derivative](const Variable& dy, Gradients& d) {
                  d.set(0, mul(dy, derivative(y.get(d))));
                });
}

// Gradient in one pass, from the saved value and dy.
using FusedGrad = Tensor (*)(const Tensor& saved, Tensor dy);

// The two above with a fused gradient for when no graph is asked for.
template <class Derivative>
Variable from_input(const char* op, const Variable& x, Tensor y, FusedGrad fused,
                    Derivative derivative) {
  return record(op, std::move(y), {x},
                [x = Saved(x), fused, derivative](Variable&& dy, Gradients& d) {
                  const Variable& v = x.get(d);
                  if (!grad_enabled()) {
                    return d.set(0, fused(v.tensor(), std::move(dy).take_tensor()));
                  }
                  d.set(0, mul(dy, derivative(v)));
                });
}
template <class Derivative>
Variable from_output(const char* op, const Variable& x, Tensor y, FusedGrad fused,
                     Derivative derivative) {
  SavedOutput saved(y);
  return record(op, std::move(y), {x},
                [y = std::move(saved), fused, derivative](Variable&& dy, Gradients& d) {
                  if (!grad_enabled()) {
                    return d.set(0, fused(y.tensor(d), std::move(dy).take_tensor()));
                  }
                  d.set(0, mul(dy, derivative(y.get(d))));
                });
}

// dx = dy times a factor that is piecewise constant in x.
template <class Factor>
Variable piecewise(const char* op, const Variable& x, Tensor y, Factor factor) {
  return record(op, std::move(y), {x}, [x = Saved(x), factor](const Variable& dy, Gradients& d) {
    d.set(0, mul(dy, Variable(factor(x.get(d).tensor()))));
  });
}

Variable zero_gradient(const char* op, const Variable& x, Tensor y) {
  return record(op, std::move(y), {x}, [](const Variable& dy, Gradients& d) {
    d.set(0, Variable(zeros_like(dy.tensor())));
  });
}

// dx = factor dy. x may have given its value away.
Variable record_scaled(const char* op, const Variable& x, Tensor y, double factor) {
  return record(op, std::move(y), {x}, [factor](const Variable& dy, Gradients& d) {
    if (factor == 1) {
      d.set(0, dy);
    } else {
      d.set(0, mul(dy, factor));
    }
  });
}

Tensor positive(const Tensor& x) {
  return cast(greater(x, scalar(0, x.dtype(), x.device())), x.dtype());
}

// dx = dy where y > 0. x may have given its value away.
Variable record_relu(const Variable& x, Tensor y) {
  return from_output("relu", x, std::move(y), relu_grad,
                     [](const Variable& v) { return Variable(positive(v.tensor())); });
}

}  // namespace

Variable neg(const Variable& x) { return record_scaled("neg", x, neg(x.tensor()), -1); }
Variable neg(Variable&& x) {
  Tensor y = neg(std::move(x).take_tensor());
  return record_scaled("neg", x, std::move(y), -1);
}
Variable abs(const Variable& x) {
  return piecewise("abs", x, abs(x.tensor()), [](const Tensor& v) { return sign(v); });
}
Variable exp(const Variable& x) {
  if (autocasts("exp", x)) return exp(autocast("exp", x));
  return from_output("exp", x, exp(x.tensor()), [](const Variable& y) { return y; });
}
Variable log(const Variable& x) {
  if (autocasts("log", x)) return log(autocast("log", x));
  return record("log", log(x.tensor()), {x},
                [x = Saved(x)](const Variable& dy, Gradients& d) { d.set(0, div(dy, x.get(d))); });
}
Variable log1p(const Variable& x) {
  if (autocasts("log1p", x)) return log1p(autocast("log1p", x));
  return record("log1p", log1p(x.tensor()), {x}, [x = Saved(x)](const Variable& dy, Gradients& d) {
    d.set(0, div(dy, x.get(d) + 1.0));
  });
}
Variable expm1(const Variable& x) {
  if (autocasts("expm1", x)) return expm1(autocast("expm1", x));
  return from_output("expm1", x, expm1(x.tensor()), [](const Variable& y) { return y + 1.0; });
}
Variable sqrt(const Variable& x) {
  return from_output("sqrt", x, sqrt(x.tensor()), [](const Variable& y) { return 0.5 / y; });
}
Variable rsqrt(const Variable& x) {
  if (autocasts("rsqrt", x)) return rsqrt(autocast("rsqrt", x));
  return from_output("rsqrt", x, rsqrt(x.tensor()),
                     [](const Variable& y) { return mul(mul(square(y), y), -0.5); });
}
Variable reciprocal(const Variable& x) {
  if (autocasts("reciprocal", x)) return reciprocal(autocast("reciprocal", x));
  return from_output("reciprocal", x, reciprocal(x.tensor()),
                     [](const Variable& y) { return neg(square(y)); });
}
Variable sin(const Variable& x) {
  return from_input("sin", x, sin(x.tensor()), [](const Variable& v) { return cos(v); });
}
Variable cos(const Variable& x) {
  return from_input("cos", x, cos(x.tensor()), [](const Variable& v) { return neg(sin(v)); });
}
Variable tanh(const Variable& x) {
  return from_output("tanh", x, tanh(x.tensor()), tanh_grad,
                     [](const Variable& y) { return 1.0 - square(y); });
}
Variable sigmoid(const Variable& x) {
  return from_output("sigmoid", x, sigmoid(x.tensor()), sigmoid_grad,
                     [](const Variable& y) { return mul(y, 1.0 - y); });
}
Variable erf(const Variable& x) {
  return from_input("erf", x, erf(x.tensor()), [](const Variable& v) {
    return mul(exp(neg(square(v))), 2.0 * std::numbers::inv_sqrtpi);
  });
}
Variable relu(const Variable& x) { return record_relu(x, relu(x.tensor())); }
Variable relu(Variable&& x) {
  Tensor y = relu(std::move(x).take_tensor());
  return record_relu(x, std::move(y));
}
Variable gelu(const Variable& x) {
  return from_input("gelu", x, gelu(x.tensor()), gelu_grad, [](const Variable& v) {
    const Variable cdf = mul(erf(mul(v, 1.0 / std::numbers::sqrt2)) + 1.0, 0.5);
    const double norm = std::numbers::inv_sqrtpi / std::numbers::sqrt2;  // 1 / sqrt(2 pi)
    return cdf + v * mul(exp(mul(square(v), -0.5)), norm);
  });
}
Variable gelu_tanh(const Variable& x) {
  return from_input("gelu_tanh", x, gelu_tanh(x.tensor()), gelu_tanh_grad, [](const Variable& v) {
    const double c = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;  // sqrt(2 / pi)
    const Variable v2 = square(v);
    const Variable t = tanh(mul(v + mul(v * v2, 0.044715), c));
    const Variable inner = mul(mul(v2, 3 * 0.044715) + 1.0, c);
    return mul(t + 1.0, 0.5) + mul(v, 0.5) * (1.0 - square(t)) * inner;
  });
}
Variable silu(const Variable& x) {
  return from_input("silu", x, silu(x.tensor()), silu_grad, [](const Variable& v) {
    const Variable s = sigmoid(v);
    return s * (v * (1.0 - s) + 1.0);
  });
}
Variable softplus(const Variable& x) {
  return from_input("softplus", x, softplus(x.tensor()),
                    [](const Variable& v) { return sigmoid(v); });
}
Variable leaky_relu(const Variable& x, double slope) {
  return piecewise("leaky_relu", x, leaky_relu(x.tensor(), slope),
                   [slope](const Tensor& v) { return add(mul(positive(v), 1.0 - slope), slope); });
}
Variable elu(const Variable& x, double alpha) {
  return from_input("elu", x, elu(x.tensor(), alpha), [alpha](const Variable& v) {
    // 1 where v > 0, alpha exp(v) elsewhere; the exponent is cut at 0 so that it cannot overflow.
    const Tensor right = positive(v.tensor());
    const Tensor left = sub(ones_like(right), right);
    return Variable(right) + Variable(left) * mul(exp(mul(v, Variable(left))), alpha);
  });
}
Variable floor(const Variable& x) { return zero_gradient("floor", x, floor(x.tensor())); }
Variable round(const Variable& x) { return zero_gradient("round", x, round(x.tensor())); }
Variable sign(const Variable& x) { return zero_gradient("sign", x, sign(x.tensor())); }
Variable square(const Variable& x) {
  return from_input("square", x, square(x.tensor()), [](const Variable& v) { return mul(v, 2.0); });
}
Variable clamp(const Variable& x, double lowest, double highest) {
  return piecewise("clamp", x, clamp(x.tensor(), lowest, highest),
                   [lowest, highest](const Tensor& v) {
                     const Tensor low = greater_equal(v, scalar(lowest, v.dtype(), v.device()));
                     const Tensor high = less_equal(v, scalar(highest, v.dtype(), v.device()));
                     return cast(logical_and(low, high), v.dtype());
                   });
}
Variable add(const Variable& x, double value) {
  return record_scaled("add", x, add(x.tensor(), value), 1);
}
Variable add(Variable&& x, double value) {
  Tensor y = add(std::move(x).take_tensor(), value);
  return record_scaled("add", x, std::move(y), 1);
}
Variable mul(const Variable& x, double value) {
  return record_scaled("mul", x, mul(x.tensor(), value), value);
}
Variable mul(Variable&& x, double value) {
  Tensor y = mul(std::move(x).take_tensor(), value);
  return record_scaled("mul", x, std::move(y), value);
}
Variable pow(const Variable& x, double exponent) {
  return from_input("pow", x, pow(x.tensor(), exponent), [exponent](const Variable& v) {
    return mul(pow(v, exponent - 1.0), exponent);
  });
}

}  // namespace athanor
