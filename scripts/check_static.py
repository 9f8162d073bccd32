#!/usr/bin/env python3
"""The static build is what it promises: no shared library, small, quick to start, and it trains.

    cmake --preset static && cmake --build --preset static
    scripts/check_static.py build/static

--training checks only that the example `trainer` trains, in any build.
"""

import gzip
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

PROGRAMS = {"examples/trainer": 10 << 20, "athanor-static": 10 << 20}  # largest size, stripped
START_MS = 5.0  # median of 20 on an idle machine; another process may double it


def fail(text):
    sys.exit(f"check_static: {text}")


def shared_libraries(program):
    done = subprocess.run(["ldd", program], capture_output=True, text=True)
    if "not a dynamic executable" in done.stdout + done.stderr:
        return []
    return done.stdout.splitlines()


def stripped_size(program, folder):
    small = pathlib.Path(folder) / program.name
    subprocess.run(["strip", "-o", small, program], check=True)
    return small.stat().st_size


def write_idx(path, sizes, values):
    header = struct.pack(">BBBB", 0, 0, 8, len(sizes)) + struct.pack(f">{len(sizes)}I", *sizes)
    with gzip.open(path, "wb") as file:
        file.write(header + bytes(values))


def write_images(folder):
    """256 training and 64 test images: class 0 is bright above, class 1 below."""
    for prefix, count in (("train", 256), ("t10k", 64)):
        pixels = []
        for i in range(count):
            pixels += [250 if (row < 14) == (i % 2 == 0) else (i * 7 + row) % 40
                       for row in range(28) for _ in range(28)]
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", (count, 28, 28), pixels)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", (count,), [i % 2 for i in range(count)])


def check_training(trainer, folder):
    write_images(folder)
    start = time.perf_counter()
    done = subprocess.run([trainer, folder, "3"], capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"{trainer} ended with {done.returncode}: {done.stderr}")
    last = done.stdout.splitlines()[-1]
    if float(last.rsplit(" ", 1)[1]) < 0.95:
        fail(f"expected a test accuracy of at least 0.95 on two bright halves, got: {last}")
    print(f"trainer: {last}, {time.perf_counter() - start:.2f} s with start and data")


def start_ms(program):
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        subprocess.run([program, "bench", "first_result"], check=True)
        times.append((time.perf_counter() - begin) * 1e3)
    return sorted(times)[len(times) // 2]


def main():
    training = sys.argv[1:2] == ["--training"]
    arguments = sys.argv[1 + training:]
    if len(arguments) != 1:
        fail("usage: check_static.py [--training] BUILD")
    build = pathlib.Path(arguments[0])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if training:
            check_training(build / "examples/trainer", folder)
            return
        for program, limit in PROGRAMS.items():
            path = build / program
            libraries = shared_libraries(path)
            if libraries:
                fail(f"expected {path} to need no shared library, it needs:\n" +
                     "\n".join(libraries))
            size = stripped_size(path, folder)
            print(f"{program}: no shared library, {size / 2**20:.2f} MiB stripped")
            if size > limit:
                fail(f"expected {path} to have at most {limit} bytes stripped, got {size}")
        check_training(build / "examples/trainer", folder)
    ms = start_ms(build / "athanor-static")
    print(f"start to the first 2 x 2 product and exit: {ms:.2f} ms")
    if ms > 2 * START_MS:
        fail(f"expected at most {START_MS} ms, twice that on a busy machine")


if __name__ == "__main__":
    main()
