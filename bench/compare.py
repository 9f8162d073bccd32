#!/usr/bin/env python3
"""Athanor beside a peer: both sides in alternation on this machine, ratios with 95% bounds.

    bench/compare.py mlp_train cnn_train --threads 1 --python path/to/venv/bin/python

A ratio is the peer's time over Athanor's, of the peer's fastest variant in each alternation: above
1 Athanor is faster. Each alternation starts both programs anew and takes their medians of at least
--repeats runs; the bounds are those of the mean logarithm over the alternations (Student's t).
The peer script prints the same JSON lines as `athanor bench --json`; bench/peers/torch_side.py is
the one of this repository. Standard library only; the interpreter with PyTorch may be another.
Another build, or the same with other options, can be the peer as well:

    bench/compare.py mlp_train --python OTHER/athanor --peer bench --peer-options="--json"
"""

import argparse
import datetime
import json
import math
import pathlib
import shlex
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# Two-sided 95% quantiles of Student's t by degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
           2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="+")
    parser.add_argument("--athanor", default=str(HERE.parent / "build/release/athanor"))
    parser.add_argument("--peer", default=str(HERE / "peers/torch_side.py"), help="peer script")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the peer script")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda, for both sides")
    parser.add_argument("--alternations", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--data", help="directory with data sets, passed to both sides")
    parser.add_argument("--peer-options", default="", help="more options for the peer script")
    parser.add_argument("--athanor-options", default="", help="more options for athanor bench")
    parser.add_argument("--cpu-time", action="store_true", help="compare processor time, which other "
                        "programs on the machine hardly change; both sides must print cpu_ms")
    parser.add_argument("--raw", type=pathlib.Path, help="keep every alternation in this file and "
                        "go on from those it has: a run can be done in parts")
    parser.add_argument("--save", type=pathlib.Path, help="append the result as JSON lines")
    return parser.parse_args()


def rows_of(command):
    """The JSON lines that a command prints; exits when it fails or reports an error."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"compare: exit code {done.returncode} of {shlex.join(command)}")
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        if "error" in row:
            sys.exit(f"compare: {row['workload']}: {row['error']} ({shlex.join(command)})")
    return rows


def fastest(rows, workload):
    """The row of the fastest variant, None without one."""
    return min((r for r in rows if r["workload"] == workload), key=lambda r: r["median_ms"],
               default=None)


def with_cpu_time(rows):
    """The rows with processor time for the median time, rates included."""
    for row in rows:
        factor = row["median_ms"] / row["cpu_ms"]
        row["median_ms"] = row["cpu_ms"]
        for rate in ("gflops", "gbps"):
            if rate in row:
                row[rate] *= factor
    return rows


def interval(values):
    """Geometric mean of positive values and its 95% bounds."""
    logs = [math.log(v) for v in values]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return math.exp(mean), 0.0, math.inf
    t = STUDENT[min(len(logs) - 2, len(STUDENT) - 1)]
    half = t * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def cpu_model():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def gpu_model():
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, stdout=subprocess.PIPE, text=True).stdout.strip()
    except FileNotFoundError:
        return "unknown GPU"


def run(args):
    """[(our rows, the peer's rows)] of each alternation."""
    common = ["--threads", str(args.threads), "--repeats", str(args.repeats)]
    common += ["--device", args.device] if args.device != "cpu" else []
    common += ["--data", args.data] if args.data else []
    limits = ["limits"] if args.device == "cpu" else []
    ours = [args.athanor, "bench", *limits, *args.workloads, "--json", *common,
            *shlex.split(args.athanor_options)]
    theirs = [args.python, args.peer, *args.workloads, *common, *shlex.split(args.peer_options)]
    pairs = []
    if args.raw and args.raw.exists():
        pairs = [tuple(json.loads(line)) for line in args.raw.read_text().splitlines()]
    for i in range(len(pairs), args.alternations):
        # Who goes first alternates too: a machine that warms up favours neither.
        if i % 2 == 0:
            mine, peer = rows_of(ours), rows_of(theirs)
        else:
            peer, mine = rows_of(theirs), rows_of(ours)
        if args.cpu_time:
            mine, peer = with_cpu_time(mine), with_cpu_time(peer)
        pairs.append((mine, peer))
        if args.raw:
            with open(args.raw, "a") as sink:
                sink.write(json.dumps([mine, peer]) + "\n")
        print(f"compare: alternation {i + 1} of {args.alternations}", file=sys.stderr, flush=True)
    return pairs


def median_of(rows, key):
    return statistics.median(row[key] for row in rows)


def summarise(args, pairs):
    """One dictionary a workload, and the limits."""
    limits = {}
    on_cpu = args.device == "cpu"
    for name, variant, key in (("limit_fma", None, "gflops"), ("limit_gemm", None, "gflops"),
                               ("limit_copy", "16 MiB", "gbps"),
                               ("limit_copy", "256 MiB", "gbps")) if on_cpu else ():
        found = [r for mine, _ in pairs for r in mine
                 if r["workload"] == name and variant in (None, r["variant"])]
        limits[f"{name} {variant}" if variant else name] = median_of(found, key)
    table = []
    for workload in args.workloads:
        both = [(fastest(mine, workload), fastest(peer, workload)) for mine, peer in pairs]
        if any(mine is None or peer is None for mine, peer in both):
            print(f"compare: {workload}: a side has no row", file=sys.stderr)
            continue
        mine, peer = [m for m, _ in both], [p for _, p in both]
        ratio, low, high = interval([p["median_ms"] / m["median_ms"] for m, p in both])
        row = {"workload": workload, "threads": args.threads, "ratio": ratio, "low": low,
               "high": high, "athanor_ms": median_of(mine, "median_ms"),
               "peer_ms": median_of(peer, "median_ms"), "variant": mine[0]["variant"],
               "peer_variant": statistics.mode(p["variant"] for p in peer)}
        if "gflops" in mine[0]:
            row["gflops"] = median_of(mine, "gflops")
            row["share"] = row["gflops"] / limits["limit_fma"] if on_cpu else None
        elif "gbps" in mine[0]:
            row["gbps"] = median_of(mine, "gbps")
            row["share"] = row["gbps"] / limits["limit_copy 16 MiB"] if on_cpu else None
        table.append(row)
    return table, limits


def show(args, table, limits):
    where = f"{cpu_model()}, {args.threads} threads" if args.device == "cpu" else gpu_model()
    print(f"{where}, {datetime.date.today()}, "
          f"{args.alternations} alternations of >= {args.repeats} repeats")
    if limits:
        print(f"limits: FMA {limits['limit_fma']:.0f} GFLOP/s, GEMM {limits['limit_gemm']:.0f} "
              f"GFLOP/s, copy {limits['limit_copy 16 MiB']:.1f} GB/s (16 MiB) and"
              f" {limits['limit_copy 256 MiB']:.1f} GB/s (256 MiB)")
    print("\n| workload | Athanor ms | variant | peer ms | peer variant | ratio [95%] | rate |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for r in table:
        rate = "-"
        if "gflops" in r:
            rate = f"{r['gflops']:.0f} GFLOP/s"
        elif "gbps" in r:
            rate = f"{r['gbps']:.1f} GB/s"
        if r.get("share"):
            rate += f", {r['share']:.0%} of the limit"
        print(f"| {r['workload']} | {r['athanor_ms']:.3f} | {r['variant']} | {r['peer_ms']:.3f} | "
              f"{r['peer_variant']} | {r['ratio']:.2f} [{r['low']:.2f}, {r['high']:.2f}] | "
              f"{rate} |")


def main():
    args = arguments()
    pairs = run(args)
    table, limits = summarise(args, pairs)
    show(args, table, limits)
    if args.save:
        with open(args.save, "a") as sink:
            for row in table:
                sink.write(json.dumps({**row, "limits": limits}) + "\n")


if __name__ == "__main__":
    main()
