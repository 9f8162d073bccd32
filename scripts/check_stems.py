#!/usr/bin/env python3
"""One stem an op: `git ls-files '*softmax*'` must show the whole life of softmax.

For each tensor/ops/X.h the files in EXPECTED exist, and no reference kernel or gradient stands
without its op. scripts/stem_exceptions.txt lists, with the reason, files that rightly do not exist
and files that are helpers, not ops; an entry there that excuses nothing is a complaint too.
"""

import pathlib

import check_tree

EXPECTED = [
    "tensor/ops/{}.cpp",
    "tensor/backend/cpu/{}.cpp",
    "tensor/backend/reference/{}.cpp",
    "autograd/ops/{}.h",
    "autograd/ops/{}.cpp",
    "tests/ops/{}_test.cpp",
]
# Files that make no sense without tensor/ops/X.h.
ORPHANS = [
    ("tensor/ops", ".cpp"),
    ("tensor/backend/reference", ".cpp"),
    ("autograd/ops", ".h"),
    ("autograd/ops", ".cpp"),
]
EXCEPTIONS = "scripts/stem_exceptions.txt"


def stems(files, folder, suffix):
    """Names of the files directly in `folder` with `suffix`."""
    return [pathlib.PurePath(name).stem for name in files
            if str(pathlib.PurePath(name).parent) == folder and name.endswith(suffix)]


def missing_files(files):
    """[(path that should exist, the file that calls for it)]."""
    present, missing = set(files), []
    for stem in stems(files, "tensor/ops", ".h"):
        expected = [pattern.format(stem) for pattern in EXPECTED]
        missing += [(path, f"tensor/ops/{stem}.h") for path in expected if path not in present]
    for folder, suffix in ORPHANS:
        for stem in stems(files, folder, suffix):
            if f"tensor/ops/{stem}.h" not in present:
                missing.append((f"tensor/ops/{stem}.h", f"{folder}/{stem}{suffix}"))
    return missing


def check(root):
    exceptions, complaints = check_tree.read_exceptions(root, EXCEPTIONS)
    used = set()
    for path, because in missing_files(check_tree.code_files(root)):
        excuses = {path, because} & set(exceptions)
        used |= excuses
        if not excuses:
            complaints.append(f"{because}:1: {path} is missing and not in {EXCEPTIONS}")
    for path, number in exceptions.items():
        if path not in used:
            complaints.append(f"{EXCEPTIONS}:{number}: {path} needs no exception")
    return sorted(complaints)


if __name__ == "__main__":
    check_tree.main(pathlib.Path(__file__).stem, check)
