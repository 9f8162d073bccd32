#!/usr/bin/env python3
"""Makes quantized.safetensors beside this file, with PyTorch and ONNX Runtime.

    python3 tests/golden/make_quantized.py

PyTorch rounds to 8 bits and back, with gradients; ONNX Runtime's QLinearConv and QLinearMatMul are
what layers are compared with (tests/golden/quantized_test.cpp).
"""

import pathlib

import numpy
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

from cases import Random
from safetensors_file import save

HERE = pathlib.Path(__file__).resolve().parent
SCALE, ZERO = 0.0173, 113  # of inputs
OUT_SCALE, OUT_ZERO = 0.31, 97


def byte_values(r, shape):
    return r.generator.integers(0, 256, shape).astype(numpy.uint8)


def rounding(arrays):
    r = Random("quantize")
    x = r.uniform((300,), -3, 4).astype(numpy.float32)
    arrays["quantize#in"] = x
    for kind, dtype, zero in (("u8", torch.quint8, ZERO), ("i8", torch.qint8, -15)):
        q = torch.quantize_per_tensor(torch.from_numpy(x), SCALE, zero, dtype)
        arrays[f"quantize/{kind}#out"] = q.int_repr().numpy()
        arrays[f"dequantize/{kind}#out"] = q.dequantize().numpy()
    w = r.uniform((6, 4, 3)).astype(numpy.float32)
    scale = (numpy.abs(w).reshape(6, -1).max(1) / 127 * 0.8).astype(numpy.float32)
    arrays["quantize_per_channel#in"], arrays["quantize_per_channel#scale"] = w, scale
    for name, values in (("fake_quantize", x), ("fake_quantize_per_channel", w)):
        leaf = torch.from_numpy(values.copy()).requires_grad_()
        dy = r.uniform(values.shape, 0.5, 1.5).astype(numpy.float32)
        if name == "fake_quantize":
            out = torch.fake_quantize_per_tensor_affine(leaf, SCALE, ZERO, 0, 255)
        else:
            zeros = torch.zeros(6, dtype=torch.int32)
            out = torch.fake_quantize_per_channel_affine(
                leaf, torch.from_numpy(scale), zeros, 0, -127, 127)
        out.backward(torch.from_numpy(dy))
        arrays[f"{name}#out"], arrays[f"{name}#dy"] = out.detach().numpy(), dy
        arrays[f"{name}#grad"] = leaf.grad.numpy()


def run(nodes, inputs, outputs, constants):
    def tensor(name, array):
        return onnx.numpy_helper.from_array(numpy.asarray(array), name)

    graph = helper.make_graph(
        nodes, "case",
        [helper.make_tensor_value_info(n, TensorProto.UINT8, a.shape) for n, a in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.UINT8, None) for n in outputs],
        [tensor(n, a) for n, a in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(list(outputs), inputs)


def layer(arrays, name, x_shape, w_shape, **attributes):
    r = Random(name)
    x = byte_values(r, x_shape)
    w = r.generator.integers(-127, 128, w_shape).astype(numpy.int8)
    w_scale = r.uniform(w_shape[:1], 0.002, 0.008).astype(numpy.float32)
    bias = r.generator.integers(-9000, 9000, w_shape[:1]).astype(numpy.int32)
    constants = {
        "x_scale": numpy.float32(SCALE), "x_zero": numpy.uint8(ZERO), "w_scale": w_scale,
        "w_zero": numpy.zeros(w_shape[:1], numpy.int8), "y_scale": numpy.float32(OUT_SCALE),
        "y_zero": numpy.uint8(OUT_ZERO)}
    names = ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"]
    if len(w_shape) == 2:
        constants["w"] = w.T.copy()
        node = helper.make_node("QLinearMatMul", names, ["y"])
    else:
        constants |= {"w": w, "b": bias}
        node = helper.make_node("QLinearConv", names + ["b"], ["y"], **attributes)
    (y,) = run([node], {"x": x}, ["y"], constants)
    arrays |= {f"{name}#x": x, f"{name}#w": w, f"{name}#scale": w_scale, f"{name}#out": y}
    if len(w_shape) == 4:
        arrays[f"{name}#bias"] = bias


def main():
    arrays = {}
    rounding(arrays)
    layer(arrays, "quantized_linear", (9, 37), (21, 37))
    layer(arrays, "quantized_conv2d", (2, 3, 7, 6), (5, 3, 3, 3), pads=[1, 1, 1, 1])
    layer(arrays, "quantized_conv2d/strided", (1, 4, 9, 8), (18, 4, 3, 2), strides=[2, 1],
          pads=[2, 1, 2, 1], dilations=[1, 2])
    layer(arrays, "quantized_conv2d/groups", (1, 6, 5, 5), (4, 3, 3, 3), group=2)
    layer(arrays, "quantized_conv2d/depthwise", (1, 5, 6, 6), (5, 1, 3, 3), group=5,
          pads=[1, 1, 1, 1])
    path = HERE / "quantized.safetensors"
    save(path, arrays)
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
