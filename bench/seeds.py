#!/usr/bin/env python3
"""Runs one recipe with several seeds and prints every arm with paired differences.

  bench/seeds.py --seeds 0-9 --out runs/ten -- --set baselines=ablation
  bench/seeds.py --seeds 0-9 --out runs/ten --table          # the table alone, of what is there

What follows -- goes to `athanor distill`. A seed whose summary.json exists is not run again, so an
interrupted series goes on where it stopped. Differences are paired by seed, with 95% intervals by
Student's t. Needs Python 3.9 and nothing else.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys

# Two-sided 95% quantiles of Student's t for 1, 2, ... degrees of freedom.
T95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
       2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086]


def mean_and_half_width(values):
    """Mean and half the width of its 95% interval (NaN for a single value)."""
    n = len(values)
    if n < 2:
        return values[0], math.nan
    t = T95[n - 2] if n - 2 < len(T95) else 1.96 + 2.5 / (n - 1)
    return statistics.mean(values), t * statistics.stdev(values) / math.sqrt(n)


def seeds_of(text):
    out = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


def with_interval(values, decimals=4, sign=False):
    mean, half = mean_and_half_width(values)
    text = f"{mean:+.{decimals}f}" if sign else f"{mean:.{decimals}f}"
    return text if math.isnan(half) else f"{text} ± {half:.{decimals}f}"


def arm_table(runs, references):
    arms = {}
    for run in runs:
        for row in run["table"]:
            arms.setdefault(row["name"], {})[run["seed"]] = row
    seeds = [run["seed"] for run in runs]
    lines = ["| arm | accuracy | macro F1 | " + " | ".join(f"− {r}" for r in references) + " |",
             "| --- | --- | --- |" + " --- |" * len(references)]
    for name, rows in arms.items():
        if len(rows) < len(seeds):
            continue
        f1 = [rows[s]["f1"] for s in seeds]
        cells = [name, with_interval([rows[s]["accuracy"] for s in seeds]), with_interval(f1)]
        for reference in references:
            other = [arms[reference][s]["f1"] for s in seeds]
            same = reference == name
            cells.append("" if same else with_interval([a - b for a, b in zip(f1, other)], sign=True))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def figure(runs, *path):
    """Values of one key path, or None when a run lacks it."""
    out = []
    for run in runs:
        for key in path:
            run = run.get(key) if isinstance(run, dict) else None
        if run is None:
            return None
        out.append(float(run))
    return out


def summary_lines(runs):
    lines = []
    rows = [("effective share before", "refine", "effective_before"),
            ("after the free checks alone", "refine", "effective_free_checks"),
            ("effective share after", "refine", "effective_after"),
            ("retention", "refine", "retention"),
            ("effective share at retention 0.95", "refine", "effective_at_095"),
            ("AUROC of the score", "refine", "auroc"),
            ("variance unexplained at 8:1", "restructure", "fvu"),
            ("... of PCA", "restructure", "pca_fvu"),
            ("AUC of held-out relations", "restructure", "relation_auc"),
            ("... of cosines", "restructure", "cosine_auc"),
            ("violations of the bound", "control", "violations"),
            ("mean lambda", "control", "mean_lambda"),
            ("share of steps at lambda's maximum", "control", "share_at_max"),
            ("share of steps with lambda above its floor", "control", "active_share"),
            ("clip rate", "control", "clip_rate"),
            ("alarms", "control", "triggers"),
            ("seconds in all", "seconds", "total"),
            ("peak memory, MB", "peak_memory_mb")]
    for name, *path in rows:
        values = figure(runs, *path)
        if values is not None:
            lines.append(f"| {name} | {with_interval(values, 3)} |")
    return ["| figure | mean ± 95% interval |", "| --- | --- |"] + lines


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/release/athanor")
    parser.add_argument("--recipe", help="recipe file; default: the built-in one")
    parser.add_argument("--seeds", default="0-9", type=seeds_of, help="such as 0-9 or 3,5,7")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="one run a seed goes here")
    parser.add_argument("--against", default="baseline:student_alone,baseline:vanilla_kd,"
                        "baseline:kd_no_hard", help="arms to take differences from")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is there")
    own, rest = sys.argv[1:], []
    if "--" in own:
        own, rest = own[:own.index("--")], own[own.index("--") + 1:]
    args = parser.parse_args(own)
    runs = []
    for seed in args.seeds:
        out = args.out / str(seed)
        summary = out / "summary.json"
        if not summary.exists():
            if args.table:
                continue
            command = [args.binary, "distill", *([args.recipe] if args.recipe else []), "--seed",
                       str(seed), "--out", str(out), *rest]
            print("seeds: " + " ".join(command), file=sys.stderr, flush=True)
            log = args.out / f"{seed}.log"
            args.out.mkdir(parents=True, exist_ok=True)
            with open(log, "w") as sink:
                code = subprocess.run(command, stdout=sink, stderr=sink).returncode
            if code != 0:
                sys.exit(f"seeds: seed {seed} ended with exit code {code}, see {log}")
        runs.append(json.loads(summary.read_text()))
    if not runs:
        sys.exit(f"seeds: expected runs under {args.out}, found none")
    present = {row["name"] for row in runs[0]["table"]}
    references = [r for r in args.against.split(",") if r in present]
    print(f"{len(runs)} seeds: {', '.join(str(r['seed']) for r in runs)}; version "
          f"{runs[0]['version']}, {runs[0]['threads']} threads\n")
    print("\n".join(arm_table(runs, references)))
    print()
    print("\n".join(summary_lines(runs)))


if __name__ == "__main__":
    main()
