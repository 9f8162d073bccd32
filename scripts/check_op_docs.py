#!/usr/bin/env python3
"""Each public operation's comment says what a caller must know.

On tensors (tensor/ops/*.h): the shapes, the dtypes and the errors. With a gradient
(autograd/ops/*.h): the formula of the gradient, and the three others unless the header says that
the arguments are those of tensor/ops/. An operation's comment is the block above it, which may
stand for several declarations in a row, what follows it on its line, and the head of the file,
which holds for all. Operations are those of check_op_cases.py; helpers that its exceptions name
as whole headers are left out.
"""

import pathlib
import re

import check_op_cases
import check_tree

TOPICS = {
    "shapes": re.compile(r"\[[^\]]*\]|0-dim|\b(?:shapes?|axis|axes|elementwise|broadcast\w*|scalar)\b"
                         r"|\bas in tensor/ops/"),
    "dtypes": re.compile(r"\b(?:dtypes?|f32|f64|i64|bool|floating)\b|\bas in tensor/ops/",
                         re.IGNORECASE),
    "errors": re.compile(r"\b(?:throws?|errors?)\b|\bas in tensor/ops/", re.IGNORECASE),
}
# "dx = ...", "dx_i = ...", "da and db = ...", "d(dy) = ...", "dw[o, c] = ...", or the words.
GRADIENT = re.compile(r"\bd(?:\([a-z]\w*\)|[a-z]\w*|\w+ p)(?:\[[^\]]*\])?"
                      r"(?:(?:,| and) d[a-z]\w*)* = |\bgradients? of\b|\bno gradient\b")


def documented(text):
    """[(name, line, comment)] of the declarations at namespace scope in a header."""
    lines = text.splitlines()
    head = []
    for line in lines:
        if not line.startswith("//"):
            break
        head.append(line)
    found, block, open_block = [], [], False
    inside = False
    for number, line in enumerate(lines, 1):
        inside = inside or line.startswith("namespace athanor")
        if not inside:
            continue
        if line.startswith("//"):
            block = block + [line] if open_block else [line]
            open_block = True
            continue
        open_block = False
        if not line.strip():
            block = []
            continue
        match = check_op_cases.DECLARATION.match(line)
        if not match:
            continue
        result, name = match.groups()
        in_place = result == "void" and name.endswith("_")
        if result in check_op_cases.PLAIN or (result == "void" and not in_place):
            continue
        end = number - 1
        while ";" not in lines[end] and "{" not in lines[end] and end + 1 < len(lines):
            end += 1
        behind = [line.split("//", 1)[1] for line in lines[number - 1:end + 1] if "//" in line]
        found.append((name, number, "\n".join(head), "\n".join(block + behind)))
    return found


def check(root):
    complaints = []
    excused, _ = check_tree.read_exceptions(root, check_op_cases.EXCEPTIONS)
    for path in check_tree.code_files(root):
        if not path.endswith(".h") or not path.startswith(check_op_cases.HEADERS):
            continue
        if path in excused:
            continue
        for name, line, head, own in documented((root / path).read_text(encoding="utf-8")):
            if name.startswith("operator"):
                continue
            missing = [topic for topic, pattern in TOPICS.items()
                       if not pattern.search(own) and not pattern.search(head)]
            if path.startswith("autograd/") and not GRADIENT.search(own):
                missing.append("gradient's formula")
            if missing:
                complaints.append(f"{path}:{line}: the comment of {name} lacks: "
                                  + ", ".join(missing))
    return sorted(complaints)


if __name__ == "__main__":
    check_tree.main(pathlib.Path(__file__).stem, check)
