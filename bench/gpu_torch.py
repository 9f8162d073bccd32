#!/usr/bin/env python3
"""PyTorch's side of bench/gpu_bench.cpp, one JSON line a row.

gpu_torch.py             times PyTorch on the first GPU
gpu_torch.py A.jsonl ... prints the table of ratios of recorded lines
"""

import json
import statistics
import sys
import time


def rows():
    import torch
    import torch.nn.functional as F

    device = torch.device("cuda")

    def values(*shape, dtype=torch.float32):
        return (torch.rand(*shape, device=device) * 2 - 1).to(dtype)

    def matmul(dtype, tf32):
        def make():
            torch.backends.cuda.matmul.allow_tf32 = tf32
            a, b = values(4096, 4096, dtype=dtype), values(4096, 4096, dtype=dtype)
            return lambda: a @ b
        return make

    def conv(dtype):
        def make():
            last = torch.channels_last
            x = values(64, 64, 56, 56, dtype=dtype).contiguous(memory_format=last)
            w = values(64, 64, 3, 3, dtype=dtype).contiguous(memory_format=last)
            dy = values(64, 64, 56, 56, dtype=dtype).contiguous(memory_format=last)
            x.requires_grad_(), w.requires_grad_()
            return lambda: torch.autograd.grad(F.conv2d(x, w, padding=1), (x, w), dy)
        return make

    return torch, {
        "matmul_f32": matmul(torch.float32, False),
        "matmul_tf32": matmul(torch.float32, True),
        "matmul_f16": matmul(torch.float16, False),
        "matmul_bf16": matmul(torch.bfloat16, False),
        "conv_train_tf32": conv(torch.float32),
        "conv_train_bf16": conv(torch.bfloat16),
    }


def measure():
    torch, table = rows()
    for name, make in table.items():
        body = make()
        for _ in range(5):
            body()
        torch.cuda.synchronize()
        ms = []
        for _ in range(21):
            begin = time.perf_counter()
            for _ in range(10):
                body()
            torch.cuda.synchronize()
            ms.append((time.perf_counter() - begin) * 100)
        print(json.dumps({"workload": name, "variant": "torch " + torch.__version__,
                          "median_ms": round(statistics.median(ms), 5),
                          "min_ms": round(min(ms), 5), "n": len(ms)}), flush=True)


def compare(files):
    """Best median of each side over the alternating runs; a ratio above 1: athanor is faster."""
    best = {}
    for file in files:
        for line in open(file):
            if not line.startswith("{"):
                continue
            row = json.loads(line)
            side = "athanor" if row["variant"] == "athanor" else "torch"
            key = (row["workload"], side)
            best[key] = min(best.get(key, float("inf")), row["median_ms"])
    print(f"{'row':18} {'athanor ms':>11} {'torch ms':>11} {'ratio':>7}")
    for name in dict.fromkeys(workload for workload, _ in best):
        ours, theirs = best.get((name, "athanor")), best.get((name, "torch"))
        cells = [f"{v:11.4f}" if v else f"{'':>11}" for v in (ours, theirs)]
        ratio = f"{theirs / ours:7.2f}" if ours and theirs else ""
        print(f"{name:18} {cells[0]} {cells[1]} {ratio}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        compare(sys.argv[1:])
    else:
        measure()
