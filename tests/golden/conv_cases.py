"""Convolution, pooling and batch norm of images."""

import torch
import torch.nn.functional as F

from cases import Constant, case


def image(r, channels=4, size=7):
    return r.uniform((2, channels, size, size))


case("conv2d", lambda r: [image(r), r.uniform((3, 4, 3, 3)), r.uniform((3,))],
     lambda x, w, b: F.conv2d(x, w, b, padding=1))
case("conv2d/strided", lambda r: [image(r), r.uniform((6, 2, 3, 2)), r.uniform((6,))],
     lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(2, 1), dilation=(1, 2), groups=2))
case("conv2d/depthwise", lambda r: [image(r), r.uniform((4, 1, 3, 3))],
     lambda x, w: F.conv2d(x, w, groups=4))
case("max_pool2d", lambda r: [image(r)], lambda x: F.max_pool2d(x, 3, 2, 1))
case("avg_pool2d", lambda r: [image(r)], lambda x: F.avg_pool2d(x, 3, 2, 1))
case("global_avg_pool2d", lambda r: [image(r)], lambda x: F.adaptive_avg_pool2d(x, 1))


def batch_norm_inputs(r):
    return [image(r), r.uniform((4,), 0.5, 2), r.uniform((4,)),
            Constant(r.uniform((4,))), Constant(r.uniform((4,), 0.5, 2))]


case("batch_norm", batch_norm_inputs,
     lambda x, g, b, m, v: F.batch_norm(x, m.clone(), v.clone(), g, b, training=True))
case("batch_norm/inference", batch_norm_inputs,
     lambda x, g, b, m, v: F.batch_norm(x, m, v, g, b, training=False))
case("batch_norm/relu", batch_norm_inputs,
     lambda x, g, b, m, v: torch.relu(
         F.batch_norm(x, m.clone(), v.clone(), g, b, training=True)))
