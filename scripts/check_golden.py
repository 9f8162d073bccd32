#!/usr/bin/env python3
"""Each public operation is compared with PyTorch: it has a case in tests/golden.

Operations are those of check_op_cases.py. A golden case is a name in tests/golden/op_table*.cpp,
alone or before a slash; golden_ops_test compares each with the recorded values, and fails for a
recorded case that is not compared. scripts/golden_exceptions.txt lists, with the reason, operations
that rightly have none; an entry there that excuses nothing is a complaint too.
"""

import pathlib
import re

import check_op_cases
import check_tree

EXCEPTIONS = "scripts/golden_exceptions.txt"
NAME = re.compile(r'"(\w+)(?:/[^"]*)?"')


def check(root):
    files = check_tree.code_files(root)
    helpers, _ = check_tree.read_exceptions(root, check_op_cases.EXCEPTIONS)
    exceptions, complaints = check_tree.read_exceptions(root, EXCEPTIONS)
    compared, used = set(), set()
    for name in files:
        if name.startswith("tests/golden/op_table"):
            compared |= set(NAME.findall((root / name).read_text(encoding="utf-8")))
    for operation, (path, line) in check_op_cases.operations(root, files).items():
        if operation in compared or {operation, path} & set(helpers):
            continue
        used |= {operation} & set(exceptions)
        if operation not in exceptions:
            complaints.append(f"{path}:{line}: {operation} has no golden case and is not in "
                              f"{EXCEPTIONS}")
    return sorted(complaints + check_tree.needless_exceptions(EXCEPTIONS, exceptions, used))


if __name__ == "__main__":
    check_tree.main(pathlib.Path(__file__).stem, check)
