#!/usr/bin/env python3
"""Athanor in f32 as the peer of its INT8 rows: prints the row NAME as NAME_int8.

    bench/compare.py mlp_infer_int8 cnn_infer_int8 --peer bench/peers/f32_side.py
"""

import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SUFFIX = "_int8"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="+")
    parser.add_argument("--athanor", default=str(ROOT / "build/release/athanor"))
    args, rest = parser.parse_known_args()
    for name in args.workloads:
        if not name.endswith(SUFFIX):
            parser.error(f"expected a workload that ends with {SUFFIX}, got {name}")
    rows = [name.removesuffix(SUFFIX) for name in args.workloads]
    done = subprocess.run([args.athanor, "bench", *rows, "--json", *rest],
                          stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        row = json.loads(line)
        row["workload"] += SUFFIX
        print(json.dumps(row))
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
