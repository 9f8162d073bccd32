"""Convolution, pooling, resampling and normalisation of images and sequences."""

import numpy
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
case("conv2d_max_pool2d", lambda r: [image(r, size=6), r.uniform((3, 4, 3, 3)), r.uniform((3,))],
     lambda x, w, b: F.max_pool2d(torch.relu(F.conv2d(x, w, b, padding=1)), 2))
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

case("conv2d_batch_norm",
     lambda r: [image(r, size=6), r.uniform((3, 4, 3, 3)), r.uniform((3,), 0.5, 2),
                r.uniform((3,))],
     lambda x, w, g, b: F.max_pool2d(torch.relu(F.batch_norm(
         F.conv2d(x, w, padding=1), None, None, g, b, training=True)), 2))
case("batch_norm_max_pool2d", lambda r: [image(r, size=6)] + batch_norm_inputs(r)[1:],
     lambda x, g, b, m, v: F.max_pool2d(torch.relu(
         F.batch_norm(x, m.clone(), v.clone(), g, b, training=True)), 2))


def conv1d_inputs(r):
    return [r.uniform((2, 4, 9)), r.uniform((6, 2, 3)), r.uniform((6,))]


case("conv1d", conv1d_inputs,
     lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=2, dilation=2, groups=2))
case("conv_transpose1d", lambda r: [r.uniform((2, 4, 5)), r.uniform((4, 3, 4)), r.uniform((6,))],
     lambda x, w, b: F.conv_transpose1d(x, w, b, stride=3, padding=1, output_padding=2, groups=2))
case("conv_transpose2d", lambda r: [image(r, size=4), r.uniform((4, 3, 3, 2)), r.uniform((3,))],
     lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1))
case("conv_transpose2d/groups",
     lambda r: [image(r, size=4), r.uniform((4, 3, 3, 2)), r.uniform((6,))],
     lambda x, w, b: F.conv_transpose2d(x, w, b, stride=(1, 3), groups=2, dilation=(2, 1)))
# The gradients of convolution as operations: their own gradients are second derivatives.
case("conv2d_backward_input", lambda r: [r.uniform((2, 3, 3, 2)), r.uniform((3, 2, 2, 2))],
     lambda dy, w: torch.nn.grad.conv2d_input((2, 2, 4, 3), w, dy))
case("conv2d_backward_weight", lambda r: [r.uniform((2, 3, 3, 2)), r.uniform((2, 2, 4, 3))],
     lambda dy, x: torch.nn.grad.conv2d_weight(x, (3, 2, 2, 2), dy))
case("max_pool1d", lambda r: [r.uniform((2, 4, 9))], lambda x: F.max_pool1d(x, 3, 2, 1))
case("avg_pool1d", lambda r: [r.uniform((2, 4, 9))], lambda x: F.avg_pool1d(x, 3, 2, 1))
case("adaptive_avg_pool2d", lambda r: [image(r)], lambda x: F.adaptive_avg_pool2d(x, (3, 5)))
case("adaptive_max_pool2d", lambda r: [image(r)], lambda x: F.adaptive_max_pool2d(x, (3, 5)))
case("adaptive_avg_pool1d", lambda r: [r.uniform((2, 4, 9))],
     lambda x: F.adaptive_avg_pool1d(x, 4))
case("adaptive_max_pool1d", lambda r: [r.uniform((2, 4, 9))],
     lambda x: F.adaptive_max_pool1d(x, 4))
case("upsample_nearest2d", lambda r: [image(r, size=3)],
     lambda x: F.interpolate(x, size=(6, 5), mode="nearest"))
case("upsample_bilinear2d", lambda r: [image(r, size=3)],
     lambda x: F.interpolate(x, size=(6, 5), mode="bilinear", align_corners=False))
case("upsample_bilinear2d/corners", lambda r: [image(r, size=3)],
     lambda x: F.interpolate(x, size=(6, 5), mode="bilinear", align_corners=True))
case("group_norm", lambda r: [image(r, size=3), r.uniform((4,), 0.5, 2), r.uniform((4,))],
     lambda x, g, b: F.group_norm(x, 2, g, b))
case("instance_norm", lambda r: [image(r, size=3), r.uniform((4,), 0.5, 2), r.uniform((4,))],
     lambda x, g, b: F.instance_norm(x, weight=g, bias=b))


def spread_over_windows(dy, size):
    """The gradient of avg_pool2d with a kernel of 2 for an image of the given size."""
    x = torch.zeros(dy.shape[0], dy.shape[1], size, size)
    for i in range(2):
        for j in range(2):
            x[:, :, i::2, j::2] = dy / 4
    return x


def windows(r):
    """One place of each window of 2 x 2 in planes of 6 x 6."""
    rows, columns = r.index((2, 3, 3, 3), 2), r.index((2, 3, 3, 3), 2)
    corner = 2 * numpy.arange(3)
    return (rows + corner[:, None]) * 6 + columns + corner


def place(dy, index):
    flat = torch.zeros(2, 3, 36).scatter_add(2, index.flatten(2), dy.flatten(2))
    return flat.reshape(2, 3, 6, 6)


case("avg_pool2d_backward", lambda r: [r.uniform((2, 3, 3, 3))],
     lambda dy: spread_over_windows(dy, 6))
case("max_pool2d_backward", lambda r: [r.uniform((2, 3, 3, 3)), windows(r)], place)
case("max_pool2d_gather", lambda r: [r.uniform((2, 3, 6, 6)), windows(r)],
     lambda x, index: x.flatten(2).gather(2, index.flatten(2)).reshape(2, 3, 3, 3))
case("channels_last", lambda r: [image(r)],
     lambda x: x.contiguous(memory_format=torch.channels_last))
