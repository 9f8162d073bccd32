#!/usr/bin/env python3
"""Makes the golden vectors beside this file with PyTorch 2.x in double precision.

    python3 tests/golden/make_golden.py            # writes *.safetensors here
    python3 tests/golden/make_golden.py --check    # compares with the files to 1e-12

Run it after adding a case, and commit the files; the tests themselves need no Python. A case's
inputs depend on its name alone, so that new cases leave the others as they are.
"""

import argparse
import pathlib
import sys

import numpy
import torch

import attention_cases
import conv_cases
import elementwise_cases
import graph_cases
import index_cases
import layer_cases
import loss_cases
import network_cases
import optimizers
import reduce_cases
import training
from cases import CASES
from safetensors_file import save

HERE = pathlib.Path(__file__).resolve().parent
MODULES = [attention_cases, conv_cases, elementwise_cases, graph_cases, index_cases, loss_cases, reduce_cases]


def read(path):
    """{name: array} of a file that safetensors_file.save wrote."""
    import json
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    kinds = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "BOOL": "?"}
    arrays = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        begin, end = (8 + length + at for at in entry["data_offsets"])
        values = numpy.frombuffer(data[begin:end], kinds[entry["dtype"]])
        arrays[name] = values.reshape(entry["shape"])
    return arrays


def differences(path, arrays):
    old = read(path) if path.exists() else {}
    found = [f"{name}: only in one of file and script" for name in sorted(set(old) ^ set(arrays))]
    for name in sorted(set(old) & set(arrays)):
        same = old[name].shape == arrays[name].shape and numpy.allclose(
            old[name], arrays[name], rtol=1e-12, atol=1e-12, equal_nan=True)
        if not same:
            found.append(f"{name}: other values")
    return [f"{path.name}: {text}" for text in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    files = {"ops": {}}
    for case in CASES:
        files["ops"] |= case.arrays()
    files |= training.files() | {"optimizers": optimizers.arrays()}
    files["layers"] = layer_cases.arrays() | network_cases.arrays()
    found = []
    for name, arrays in files.items():
        path = HERE / f"{name}.safetensors"
        if check:
            found += differences(path, arrays)
        else:
            save(path, arrays)
            print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size} bytes")
    for text in found:
        print(text, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
