"""ONNX Runtime's variants of the rows of torch_side.py, on the CPU."""

import os
import sys
import tempfile

import torch


def time_model(bench, model, x, workload, int8=False):
    """Times `model` on x as `workload`; with `int8` after static quantisation, by channel,
    calibrated on four batches, in both of the forms that quantised models have."""
    try:
        import onnxruntime
    except ImportError as error:
        print(f"torch_side: {workload} has no ONNX Runtime variant: {error}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        torch.onnx.export(model, (x,), path, input_names=["x"], dynamo=False)
        variants = {"onnxruntime": path}
        if int8:
            batches = [torch.randn_like(x).numpy() for _ in range(4)]
            variants = {f"onnxruntime {form}": quantised(path, form, batches)
                        for form in ("QDQ", "QOperator")}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = bench.threads
        array = x.numpy()
        for variant, file in variants.items():
            session = onnxruntime.InferenceSession(file, options,
                                                   providers=["CPUExecutionProvider"])
            bench.time(workload, variant, lambda: session.run(None, {"x": array}))


def quantised(path, form, batches):
    """The path of the model at `path` in INT8: activations u8, weights i8 by channel."""
    from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType,
                                          quantize_static)
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Batches(CalibrationDataReader):
        def __init__(self):
            self.left = list(batches)

        def get_next(self):
            return {"x": self.left.pop()} if self.left else None

    prepared, to = f"{path}.prepared", f"{path}.{form}"
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    quantize_static(prepared, to, Batches(), quant_format=QuantFormat[form], per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return to
