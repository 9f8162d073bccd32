#!/usr/bin/env python3
"""The event files of a run directory, read by the tensorboard package, against its log.jsonl.

usage: check_tensorboard.py RUN...
Every step's loss, rate and norm of the gradients that the log holds must be there, with its step and
its value rounded to f32. Needs tensorboard.
"""

import json
import math
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {"loss": "loss/total", "lr": "train/lr", "grad_norm": "train/grad_norm"}


def logged(run):
    """{(arm, tag): [(step, value)]} of log.jsonl, without what was not measured."""
    series = {}
    for line in (run / "log.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] != "step":
            continue
        for key, tag in TAGS.items():
            if event.get(key) is not None:
                series.setdefault((event["run"], tag), []).append((event["step"], event[key]))
    return series


def as_f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    wrong = compared = 0
    for run in map(pathlib.Path, sys.argv[1:]):
        readers = {}
        for (arm, tag), expected in logged(run).items():
            if arm not in readers:
                folder = run / "tensorboard" / arm
                readers[arm] = EventAccumulator(str(folder), size_guidance={"scalars": 0})
                readers[arm].Reload()
            found = [(e.step, e.value) for e in readers[arm].Scalars(tag)]
            same = len(found) == len(expected) and all(
                a[0] == b[0] and math.isclose(a[1], as_f32(b[1]), rel_tol=1e-6)
                for a, b in zip(found, expected))
            compared += len(expected)
            if not same:
                wrong += 1
                print(f"{run}: {arm} {tag}: {len(found)} values, expected {len(expected)}")
    print(f"{compared} values compared, {wrong} series differ")
    sys.exit(wrong > 0 or compared == 0)


if __name__ == "__main__":
    main()
