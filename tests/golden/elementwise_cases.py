"""Elementwise operations of one and two tensors."""

import torch
import torch.nn.functional as F

from cases import Constant, case


def unary(name, function, low=-2.0, high=2.0, gradient=True):
    case(name, lambda r: [r.uniform((3, 7), low, high)], function, gradient)


def binary(name, function, low=-2.0, high=2.0, gradient=True):
    case(name, lambda r: [r.uniform((3, 1, 5), low, high), r.uniform((4, 5), low, high)], function,
         gradient)


unary("neg", torch.neg)
unary("abs", torch.abs)
unary("exp", torch.exp)
unary("log", torch.log, 0.1, 3)
unary("log1p", torch.log1p, -0.9, 3)
unary("expm1", torch.expm1)
unary("sqrt", torch.sqrt, 0.1, 3)
unary("rsqrt", torch.rsqrt, 0.1, 3)
unary("reciprocal", torch.reciprocal, 0.2, 3)
unary("sin", torch.sin, -6, 6)
unary("cos", torch.cos, -6, 6)
unary("tanh", torch.tanh)
unary("sigmoid", torch.sigmoid, -5, 5)
unary("erf", torch.erf)
unary("relu", torch.relu)
unary("gelu", F.gelu, -4, 4)
unary("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), -4, 4)
unary("silu", F.silu, -5, 5)
unary("softplus", F.softplus, -5, 5)
unary("leaky_relu", lambda x: F.leaky_relu(x, 0.2))
unary("elu", lambda x: F.elu(x, 1.5))
unary("floor", torch.floor)
unary("round", lambda x: torch.round(x * 2), -4, 4)
unary("sign", torch.sign)
unary("square", torch.square)
unary("clamp", lambda x: torch.clamp(x, -0.5, 1))
unary("add/scalar", lambda x: x + 1.25)
unary("mul/scalar", lambda x: x * -0.75)
unary("pow/scalar", lambda x: torch.pow(x, 2.5), 0.2, 3)
unary("isfinite", lambda x: torch.isfinite(1 / torch.floor(x)), gradient=False)
unary("isnan", lambda x: torch.isnan(torch.log(x)), gradient=False)
unary("logical_not", lambda x: torch.logical_not(torch.floor(x)), gradient=False)

binary("add", torch.add)
binary("sub", torch.sub)
binary("mul", torch.mul)
binary("div", torch.div, 0.5, 2)
binary("pow", torch.pow, 0.2, 2)
binary("maximum", torch.maximum)
binary("minimum", torch.minimum)
case("maximum/ties", lambda r: [r.index((4, 6), 3) * 1.0, r.index((4, 6), 3) * 1.0], torch.maximum)
case("lerp", lambda r: [r.uniform((4, 5)), r.uniform((5,)), r.uniform((4, 1), 0, 1)], torch.lerp)


def compare(name, function):
    case(name, lambda r: [r.index((4, 6), 3) * 1.0, r.index((6,), 3) * 1.0], function,
         gradient=False)


compare("equal", torch.eq)
compare("not_equal", torch.ne)
compare("less", torch.lt)
compare("less_equal", torch.le)
compare("greater", torch.gt)
compare("greater_equal", torch.ge)
compare("logical_and", torch.logical_and)
compare("logical_or", torch.logical_or)
compare("logical_xor", torch.logical_xor)

case("where", lambda r: [r.mask((4, 5)), r.uniform((4, 5)), r.uniform((5,))], torch.where)
case("masked_fill", lambda r: [r.uniform((4, 5)), r.mask((5,))],
     lambda x, mask: x.masked_fill(mask, -3.0))
case("cast", lambda r: [r.uniform((3, 4))], lambda x: x.to(torch.float32).to(torch.float64))
case("dropout", lambda r: [r.uniform((3, 4)), Constant(r.mask((3, 4)) * 1.0)],
     lambda x, kept: x * kept / 0.5)
