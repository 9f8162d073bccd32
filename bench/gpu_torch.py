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

    def softmax():
        x = values(4096, 1024)
        return lambda: torch.softmax(x, -1)

    def kd_loss():
        student, teacher = values(128, 1000).requires_grad_(), values(128, 1000)

        def step():
            loss = 16 * F.kl_div(F.log_softmax(student / 4, -1), F.log_softmax(teacher / 4, -1),
                                 log_target=True, reduction="batchmean")
            torch.autograd.grad(loss, student)
        return step

    def op_chain():
        a = values(64).requires_grad_()

        def step():
            b = a
            for _ in range(100):
                b = torch.relu(b * 1.01 + a)
            torch.autograd.grad(b.sum(), a)
        return step

    def mlp(compiled):
        def make():
            model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(),
                                        torch.nn.Linear(256, 10)).to(device)
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
            x, y = values(128, 784), torch.zeros(128, dtype=torch.long, device=device)
            forward = torch.compile(model, mode="reduce-overhead") if compiled else model

            def step():
                optimizer.zero_grad()
                F.cross_entropy(forward(x), y).backward()
                optimizer.step()
            return step
        return make

    return torch, {
        "matmul_f32": matmul(torch.float32, False),
        "matmul_tf32": matmul(torch.float32, True),
        "matmul_f16": matmul(torch.float16, False),
        "matmul_bf16": matmul(torch.bfloat16, False),
        "conv_train_tf32": conv(torch.float32),
        "conv_train_bf16": conv(torch.bfloat16),
        "softmax": softmax,
        "kd_loss": kd_loss,
        "op_chain": op_chain,
        "mlp_train": mlp(False),
        "mlp_train_graph": mlp(True),
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
