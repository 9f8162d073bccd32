#!/usr/bin/env python3
"""PyTorch's side of `athanor bench`: the same workloads, one JSON line a workload and variant.

Needs PyTorch; onnxruntime and onnx for cnn_infer_int8 and a variant of cnn_infer, scikit-learn for
dbscan.
--compile adds torch.compile, in its default mode and with CUDA graphs (reduce-overhead).

    bench/peers/torch_side.py cnn_train --threads 1
    bench/peers/torch_side.py gpt_train --device cuda --compile
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional

import onnx_rows


class Bench:
    def __init__(self, args):
        self.threads, self.repeats, self.data = args.threads, args.repeats, args.data
        self.device, self.compile = torch.device(args.device), args.compile

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def time(self, workload, variant, run, repeats=None):
        for _ in range(3):
            run()
        self.synchronize()
        times = []
        for _ in range(repeats or self.repeats):
            start = time.perf_counter()
            run()
            self.synchronize()
            times.append((time.perf_counter() - start) * 1e3)
        times.sort()
        print(json.dumps({"workload": workload, "variant": variant, "threads": self.threads,
                          "median_ms": times[len(times) // 2], "min_ms": times[0],
                          "n": len(times)}), flush=True)

    def time_training(self, workload, build, x, y, repeats=None, images=False, autocast=False):
        """The step as PyTorch's users can have it: optimiser fused or not, both image layouts,
        with --compile also compiled."""
        ways = [(fused, layout, None) for fused in (False, True)
                for layout in (("contiguous", "channels_last") if images else ("contiguous",))]
        if self.compile:
            ways += [(True, ways[-1][1], mode) for mode in ("default", "reduce-overhead")]
        for fused, layout, mode in ways:
            self.time_way(workload, build, x, y, repeats, images, autocast, fused, layout, mode)

    def time_way(self, workload, build, x, y, repeats, images, autocast, fused, layout, mode):
        model, data = build(), x
        if layout == "channels_last":
            model = model.to(memory_format=torch.channels_last)
            data = x.contiguous(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=fused)
        forward = torch.compile(model, mode=mode) if mode else model
        low = torch.autocast(self.device.type, torch.bfloat16) if autocast else (
            contextlib.nullcontext())

        def step():
            optimizer.zero_grad()
            with low:
                loss = functional.cross_entropy(forward(data), y)
            loss.backward()
            optimizer.step()

        name = ("fused" if fused else "foreach") + "_adamw"
        name += f"+{layout}" if images else ""
        self.time(workload, name + (f"+compile {mode}" if mode else ""), step, repeats)


def perceptron(*widths):
    layers = []
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def small_cnn():
    def stage(before, after):
        return [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
                nn.MaxPool2d(2)]

    return nn.Sequential(*stage(1, 32), *stage(32, 64), nn.Flatten(), nn.Linear(64 * 49, 128),
                         nn.ReLU(), nn.Linear(128, 10))


class Residual(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        self.shortcut = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False),
                                          nn.BatchNorm2d(after))

    def forward(self, x):
        return functional.relu(self.body(x) + self.shortcut(x))


def resnet8():
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                         Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(8000, 256)
        layer = nn.TransformerEncoderLayer(256, 4, 1024, dropout=0.0, activation="gelu",
                                           batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(256, 2)

    def forward(self, tokens):
        return self.head(self.layers(self.embedding(tokens)).mean(1))


class GptLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = (part.view(batch, tokens, self.heads, -1).transpose(1, 2)
                   for part in self.qkv(self.norm1(x)).split(width, 2))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(65, 128), nn.Embedding(128, 128)
        self.layers = nn.Sequential(*[GptLayer(128, 4) for _ in range(4)])
        self.norm = nn.LayerNorm(128)

    def forward(self, tokens):
        h = self.tokens(tokens) + self.positions.weight[:tokens.shape[1]]
        return (self.norm(self.layers(h)) @ self.tokens.weight.T).flatten(0, 1)


def op_chain(bench):
    a = torch.randn(64, requires_grad=True)

    def run():
        a.grad = None
        b = a
        for _ in range(100):
            b = (b * 1.01 + a).relu()
        b.sum().backward()

    bench.time("op_chain", "eager", run, 200)


def mlp_train(bench):
    bench.time_training("mlp_train", lambda: perceptron(784, 256, 10), torch.randn(128, 784),
                        torch.randint(10, (128,)), 100)


def mlp1200_train(bench):
    bench.time_training("mlp1200_train", lambda: perceptron(784, 1200, 1200, 10),
                        torch.randn(128, 784), torch.randint(10, (128,)), 40)


def cnn_train(bench):
    bench.time_training("cnn_train", small_cnn, torch.randn(128, 1, 28, 28),
                        torch.randint(10, (128,)), images=True)


def resnet8_train(bench):
    bench.time_training("resnet8_train", resnet8, torch.randn(64, 3, 32, 32),
                        torch.randint(10, (64,)), images=True)


def encoder_train(bench):
    bench.time_training("encoder_train", Encoder, torch.randint(8000, (32, 64)),
                        torch.randint(2, (32,)))


def encoder_train_bf16(bench):
    bench.time_training("encoder_train_bf16", Encoder, torch.randint(8000, (32, 64)),
                        torch.randint(2, (32,)), autocast=True)


def gpt_train(bench):
    bench.time_training("gpt_train", Gpt, torch.randint(65, (12, 128)),
                        torch.randint(65, (12 * 128,)))


def gcn_train(bench):
    if bench.data is None:
        raise SystemExit("torch_side: gcn_train reads Cora from --data")
    nodes = 2708
    lines = (bench.data / "planetoid/cora_text/edges.tsv").read_text().splitlines()
    edges = torch.tensor([[int(v) for v in line.split("\t")[:2]] for line in lines if line]).T
    loops = torch.arange(nodes)
    rows = torch.cat([edges[1], edges[0], loops])
    columns = torch.cat([edges[0], edges[1], loops])
    scale = torch.bincount(rows, minlength=nodes).float().rsqrt()
    adjacency = torch.sparse_coo_tensor(torch.stack([rows, columns]), scale[rows] * scale[columns],
                                        (nodes, nodes)).coalesce().to_sparse_csr()
    x = (torch.rand(nodes, 1433) < 0.0127).float()
    y = torch.randint(7, (nodes,))
    w1 = nn.Parameter(torch.randn(1433, 16) * 0.03)
    w2 = nn.Parameter(torch.randn(16, 7) * 0.2)
    for features, kind in ((x, "csr"), (x.to_sparse_csr(), "csr+csr_features")):
        for fused in (False, True):
            optimizer = torch.optim.AdamW([w1, w2], lr=1e-2, fused=fused)

            def step():
                optimizer.zero_grad()
                h = functional.relu(adjacency @ (features @ w1))
                functional.cross_entropy(adjacency @ (h @ w2), y).backward()
                optimizer.step()

            bench.time("gcn_train", kind + ("+fused_adamw" if fused else "+foreach_adamw"), step)


def kd_loss(bench):
    student, teacher = torch.randn(128, 1000, requires_grad=True), torch.randn(128, 1000)

    def run():
        student.grad = None
        loss = functional.kl_div(functional.log_softmax(student / 4, 1),
                                 functional.softmax(teacher / 4, 1), reduction="batchmean")
        (loss * 16).backward()

    bench.time("kd_loss", "f32", run, 200)


def on_rows(name, op):
    @torch.no_grad()
    def workload(bench):
        x = torch.randn(4096, 1024)
        bench.time(name, "f32", lambda: op(x), 100)

    return workload


def attention_train(bench):
    q, k, v = (torch.randn(1, 8, 2048, 64, requires_grad=True) for _ in range(3))

    def run():
        q.grad = k.grad = v.grad = None
        functional.scaled_dot_product_attention(q, k, v).sum().backward()

    bench.time("attention_train", "f32", run, 10)


@torch.no_grad()
def conv_bn_relu(bench, workload="conv_bn_relu"):
    model = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()).eval()
    x = torch.randn(64, 64, 28, 28)
    last = x.contiguous(memory_format=torch.channels_last)
    bench.time(workload, "eager", lambda: model(x))
    folded = torch.nn.utils.fusion.fuse_conv_bn_eval(model[0], model[1])
    bench.time(workload, "folded", lambda: torch.relu_(folded(x)))
    folded = folded.to(memory_format=torch.channels_last)
    bench.time(workload, "folded+channels_last", lambda: torch.relu_(folded(last)))


# Whatever algorithm the peer takes.
def conv_bn_relu_winograd(bench):
    conv_bn_relu(bench, "conv_bn_relu_winograd")


@torch.no_grad()
def encoder_infer(bench):
    model, tokens = Encoder().eval(), torch.randint(8000, (32, 64))
    bench.time("encoder_infer", "f32", lambda: model(tokens))


@torch.no_grad()
def encoder_infer_bf16(bench):
    model, tokens = Encoder().eval(), torch.randint(8000, (32, 64))
    with torch.autocast(bench.device.type, torch.bfloat16):
        bench.time("encoder_infer_bf16", "autocast", lambda: model(tokens))


@torch.no_grad()
def cnn_infer(bench, workload="cnn_infer"):
    model, x = small_cnn().eval(), torch.randn(64, 1, 28, 28)
    bench.time(workload, "f32", lambda: model(x))
    if bench.device.type == "cpu":
        onnx_rows.time_model(bench, model, x, workload)
    model = model.to(memory_format=torch.channels_last)
    last = x.contiguous(memory_format=torch.channels_last)
    bench.time(workload, "f32+channels_last", lambda: model(last))


def cnn_infer_winograd(bench):
    cnn_infer(bench, "cnn_infer_winograd")


@torch.no_grad()
def cnn_infer_int8(bench):
    onnx_rows.time_model(bench, small_cnn().eval(), torch.randn(64, 1, 28, 28), "cnn_infer_int8",
                         int8=True)


def dbscan(bench):
    import numpy
    from sklearn.cluster import DBSCAN
    random = numpy.random.default_rng(0)
    centres = random.normal(size=(50, 16)) * 10
    points = centres[random.integers(0, 50, 20000)] + random.normal(size=(20000, 16))
    clusters = DBSCAN(eps=0.5 * math.sqrt(32), min_samples=8, n_jobs=bench.threads)
    bench.time("dbscan", "scikit-learn", lambda: clusters.fit(points.astype("float32")), 3)


def startup(bench):
    code = "import torch; print((torch.ones(2, 2) @ torch.ones(2, 2)).sum().item())"
    command = [sys.executable, "-c", code]
    bench.time("startup", "python+torch",
               lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), 3)


def cold_step(bench):
    code = ("import torch, torch_side; from torch.nn import functional\n"
            f"torch.set_num_threads({bench.threads}); model = torch_side.small_cnn()\n"
            "optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)\n"
            "x, y = torch.randn(128, 1, 28, 28), torch.randint(10, (128,))\n"
            "functional.cross_entropy(model(x), y).backward(); optimizer.step()")
    bench.time("cold_step", "python+torch", lambda: subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=pathlib.Path(__file__).parent), 3)


WORKLOADS = {f.__name__: f for f in (
    op_chain, mlp_train, mlp1200_train, cnn_train, resnet8_train, encoder_train,
    encoder_train_bf16, gpt_train,
    gcn_train, kd_loss, attention_train, conv_bn_relu, conv_bn_relu_winograd, encoder_infer,
    encoder_infer_bf16, cnn_infer, cnn_infer_int8, cnn_infer_winograd, dbscan, startup, cold_step)}
WORKLOADS |= {
    "softmax": on_rows("softmax", lambda x: torch.softmax(x, 1)),
    "layer_norm": on_rows("layer_norm", lambda x: functional.layer_norm(x, (1024,))),
    "gelu": on_rows("gelu", functional.gelu),
    "add": on_rows("add", lambda x: x + x),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="+", choices=WORKLOADS, metavar="WORKLOAD",
                        help=", ".join(WORKLOADS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--compile", action="store_true", help="also time torch.compile")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--data", type=pathlib.Path, help="directory with data sets (Cora)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_default_device(args.device)
    torch.manual_seed(0)
    bench = Bench(args)
    for name in args.workloads:
        WORKLOADS[name](bench)


if __name__ == "__main__":
    main()
