#!/usr/bin/env python3
"""Instructions of one step of op_chain (300 small operations and backward), counted by callgrind.

    scripts/check_instructions.py build/release/bench/op_chain

The count is compared with tests/autograd/op_chain_instructions.txt: more than 5% above is an error,
more than 5% below asks for the new count. ATHANOR_ISA=portable and one thread make it the same on
every CPU; what remains is the compiler's version. --update writes the count.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

EXPECTED = pathlib.Path(__file__).parent.parent / "tests/autograd/op_chain_instructions.txt"
TOLERANCE = 0.05


def instructions(program, steps):
    """What the whole process executes for this many steps."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program,
                   str(steps)]
        environment = {**os.environ, "ATHANOR_ISA": "portable", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or not found:
            sys.exit(f"check_instructions: {' '.join(command)} failed:\n{done.stderr}")
        return int(found.group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--update", action="store_true", help="write the expected count")
    args = parser.parse_args()
    # The difference leaves out the start of the process and the filling of caches.
    few, many = 5, 15
    count = (instructions(args.program, many) - instructions(args.program, few)) // (many - few)
    if args.update:
        EXPECTED.write_text(f"{count}\n")
    expected = int(EXPECTED.read_text())
    change = count / expected - 1
    print(f"op_chain: {count} instructions a step, expected {expected} ({change:+.1%})")
    if change > TOLERANCE:
        sys.exit("check_instructions: more than 5% above the expected count: what made the tape "
                 "dearer? If it is worth it, --update writes the new count")
    if change < -TOLERANCE:
        sys.exit("check_instructions: more than 5% below the expected count; keep the gain with "
                 "--update")


if __name__ == "__main__":
    main()
