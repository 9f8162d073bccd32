"""What a golden case is: named inputs, and a PyTorch function of them.

A case is named like the operation it covers ("softmax", "softmax/axis0"); tests/golden/ops_test.cpp
has the same names with Athanor's functions. Floating inputs are differentiable unless wrapped in
constant(); they are rounded to f32, so that f32 runs get exactly the same inputs.
"""

import zlib

import numpy
import torch

CASES = []


class Constant:
    def __init__(self, array):
        self.array = array


class Random:
    """Draws inputs for one case."""

    def __init__(self, name):
        self.generator = numpy.random.default_rng(zlib.crc32(name.encode()))

    def uniform(self, shape, low=-2.0, high=2.0):
        return self.generator.uniform(low, high, shape).astype(numpy.float32).astype(numpy.float64)

    def index(self, shape, bound):
        return self.generator.integers(0, bound, shape)

    def mask(self, shape):
        return self.generator.random(shape) < 0.5


class Case:
    def __init__(self, name, inputs, function, gradient):
        self.name, self.inputs, self.function, self.gradient = name, inputs, function, gradient

    def arrays(self):
        """{"name#in0": ..., "name#out": ..., "name#dy": ..., "name#grad0": ...}"""
        arrays, tensors = {}, []
        for i, value in enumerate(self.inputs):
            array = value.array if isinstance(value, Constant) else value
            arrays[f"{self.name}#in{i}"] = array
            tensor = torch.from_numpy(array.copy())
            moves = self.gradient and array.dtype == numpy.float64
            tensor.requires_grad_(moves and not isinstance(value, Constant))
            tensors.append(tensor)
        out = self.function(*tensors)
        arrays[f"{self.name}#out"] = out.detach().numpy()
        if self.gradient:
            dy = Random(self.name + "#dy").uniform(tuple(out.shape), 0.5, 1.5)
            arrays[f"{self.name}#dy"] = dy
            out.backward(torch.from_numpy(dy))
            for i, tensor in enumerate(tensors):
                if tensor.requires_grad:
                    arrays[f"{self.name}#grad{i}"] = tensor.grad.numpy()
        return arrays


def case(name, make_inputs, function, gradient=True):
    """make_inputs(random) gives the list of inputs, function the PyTorch result."""
    CASES.append(Case(name, make_inputs(Random(name)), function, gradient))
