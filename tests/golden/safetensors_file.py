"""Writes safetensors, so that the golden files need no package besides torch and numpy."""

import json

import numpy

NAMES = {"float64": "F64", "float32": "F32", "int64": "I64", "int32": "I32", "int8": "I8",
         "uint8": "U8", "bool": "BOOL"}


def save(path, arrays):
    """arrays: {name: numpy array}; sorted by element size (largest first), then by name."""
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header, at, blocks = {}, 0, []
    for name in order:
        array = numpy.ascontiguousarray(arrays[name])
        block = array.tobytes()
        header[name] = {"dtype": NAMES[str(array.dtype)], "shape": list(arrays[name].shape),
                        "data_offsets": [at, at + len(block)]}
        at += len(block)
        blocks.append(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blocks))
