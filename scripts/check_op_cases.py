#!/usr/bin/env python3
"""Every public operation has a case: one that no test drives fails the build.

A public operation is a function declared in tensor/ops/*.h or autograd/ops/*.h that returns
tensors, or writes in place. Its case is an OpCase in tests/ops/*_test.cpp whose name is the
operation's, alone or before a slash: {"softmax/wide", ...}; the test must call it, too.
scripts/op_case_exceptions.txt lists, with the reason, operations, or whole headers, that rightly
have none; an entry there that excuses nothing is a complaint too.
"""

import pathlib
import re

import check_tree

HEADERS = ("tensor/ops/", "autograd/ops/")
EXCEPTIONS = "scripts/op_case_exceptions.txt"
# A declaration at namespace scope (not indented): result type, name.
DECLARATION = re.compile(r"^(?:inline )?((?:std::vector<\w+>)|\w+) (\w+)\(", re.MULTILINE)
# Types that are no tensors.
PLAIN = {"DType", "Shape", "Size2", "bool", "double", "int", "unsigned", "return", "template"}
# The name of a case: the first string of an OpCase, or of the local function that makes one.
CASE = re.compile(r'(?:\{|\w*(?:case|case_of|string)\()\s*"(\w+)(?:/[^"]*)?"')
STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*')


def operations(root, files):
    """{name: (path, line) of the first declaration}."""
    found = {}
    for name in files:
        if not name.endswith(".h") or not name.startswith(HEADERS):
            continue
        text = (root / name).read_text(encoding="utf-8")
        for match in DECLARATION.finditer(text):
            result, operation = match.groups()
            in_place = result == "void" and operation.endswith("_")
            if in_place or (result != "void" and result not in PLAIN and "std" != result):
                line = text.count("\n", 0, match.start()) + 1
                found.setdefault(operation, (name, line))
    return found


def cases(root, files):
    """Names of cases whose test also calls the operation."""
    found = set()
    for name in files:
        if not (name.startswith("tests/ops/") and name.endswith("_test.cpp")):
            continue
        text = (root / name).read_text(encoding="utf-8")
        words = set(re.findall(r"\w+", STRING_OR_COMMENT.sub(" ", text)))
        found |= set(CASE.findall(text)) & words
    return found


def check(root):
    files = check_tree.code_files(root)
    exceptions, complaints = check_tree.read_exceptions(root, EXCEPTIONS)
    declared, tested = operations(root, files), cases(root, files)
    used = set()
    for operation, (path, line) in declared.items():
        if operation in tested:
            continue
        excuses = {operation, path} & set(exceptions)
        used |= excuses
        if not excuses:
            complaints.append(f"{path}:{line}: {operation} has no OpCase in tests/ops and is not "
                              f"in {EXCEPTIONS}")
    return sorted(complaints + check_tree.needless_exceptions(EXCEPTIONS, exceptions, used))


if __name__ == "__main__":
    check_tree.main(pathlib.Path(__file__).stem, check)
