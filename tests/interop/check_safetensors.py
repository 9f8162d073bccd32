#!/usr/bin/env python3
"""Files of the Python package safetensors read and written again by this project, bit by bit.

usage: check_safetensors.py build/release/tests/safetensors_tool [FILE...]
Makes a file with every dtype, odd shapes and metadata, and takes the FILEs given besides. The tool
reads what the package wrote; the package reads what the tool wrote. Needs torch and safetensors.
"""

import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import save_file

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.uint8,
          torch.int32, torch.int64, torch.bool)
SHAPES = ((), (0,), (1,), (3, 5), (2, 0, 4), (7, 1, 2, 3))


def make(path):
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for dtype in DTYPES:
        for shape in SHAPES:
            values = torch.randn(shape, generator=generator, dtype=torch.float64) * 50
            tensors[f"{dtype}/{shape} ä\n"] = values.to(dtype)
    tensors["special"] = torch.tensor([float("nan"), float("inf"), -0.0, 1e-42])
    save_file(tensors, path, metadata={"format": "pt", "text": "ü \"quoted\" \\ \n"})


def bits(tensor):
    return tensor.contiguous().flatten().view(torch.uint8) if tensor.numel() else tensor


def read(path):
    with safe_open(path, framework="pt") as file:
        return {k: file.get_tensor(k) for k in file.keys()}, file.metadata()


def main():
    tool, files = sys.argv[1], [pathlib.Path(f) for f in sys.argv[2:]]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder, "made.safetensors")
        make(made)
        for path in [made, *files]:
            copy = pathlib.Path(folder, "copy.safetensors")
            subprocess.run([tool, path, copy], check=True)
            (before, before_meta), (after, after_meta) = read(path), read(copy)
            same = before.keys() == after.keys() and (before_meta or {}) == (after_meta or {})
            different = [k for k in before if same and not (
                before[k].dtype == after[k].dtype and before[k].shape == after[k].shape and
                torch.equal(bits(before[k]), bits(after[k])))]
            print(f"{path.name}: {len(before)} tensors, {len(different)} differ"
                  + ("" if same else "; names or metadata differ"))
            failed += len(different) + (not same)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
