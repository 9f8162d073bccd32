#!/usr/bin/env python3
"""What docs/*.md quote is what the sources say and the programs print.

A comment before a fenced block says where the block comes from:

    <!-- code examples/tour/01_tensors.cpp -->           the whole file
    <!-- code a/b.cpp from "Tensor run(" to "}" -->      from the first line that contains the first
                                                         text to the next line equal to the second
    <!-- code a/b.cpp from "t.softmax =" -->             that line alone
    <!-- output 01_tensors -->                           what that program prints; compared only
                                                         with --programs DIRECTORY

To repair: scripts/check_docs.py --fix [--programs build/release/examples]
"""

import pathlib
import re
import subprocess

import check_tree

DIRECTIVE = re.compile(r'<!-- (?:code (?P<path>\S+)(?: from "(?P<start>.*?)"(?: to "(?P<end>.*?)")?)?'
                       r"|output (?P<program>\S+)) -->")


class Missing(Exception):
    pass


def quoted_lines(root, match):
    path = root / match["path"]
    if not path.is_file():
        raise Missing(f"no such file: {match['path']}")
    lines = path.read_text().splitlines()
    if match["start"] is None:
        return lines
    first = next((i for i, line in enumerate(lines) if match["start"] in line), None)
    if first is None:
        raise Missing(f"{match['path']} has no line with '{match['start']}'")
    if match["end"] is None:
        return [lines[first].strip()]
    last = next((i for i in range(first, len(lines)) if lines[i] == match["end"]), None)
    if last is None:
        raise Missing(f"{match['path']} has no line '{match['end']}' after '{match['start']}'")
    return lines[first:last + 1]


def printed_lines(programs, name):
    program = pathlib.Path(programs) / name
    if not program.is_file():
        raise Missing(f"no such program: {program}")
    run = subprocess.run([program], capture_output=True, text=True)
    if run.returncode != 0:
        raise Missing(f"{name} failed with {run.returncode}: {run.stderr.strip()}")
    return run.stdout.splitlines()


def expected_lines(root, match, programs):
    """What the block should hold; None when that is not checked."""
    if match["program"]:
        return printed_lines(programs, match["program"]) if programs else None
    return quoted_lines(root, match)


def rewrite(root, name, programs):
    """The file's lines as they should be, and complaints about where they differ."""
    lines, result, complaints = check_tree.read_lines(root, name), [], []
    at = 0
    while at < len(lines):
        result.append(lines[at])
        match = DIRECTIVE.fullmatch(lines[at].strip())
        at += 1
        if not match:
            continue
        place = f"{name}:{at}"
        if at == len(lines) or not lines[at].startswith("```"):
            complaints.append(f"{place}: expected a fenced block after the comment")
            continue
        end = next((i for i in range(at + 1, len(lines)) if lines[i].startswith("```")), None)
        if end is None:
            complaints.append(f"{place}: the fenced block does not end")
            continue
        block = lines[at + 1:end]
        try:
            expected = expected_lines(root, match, programs)
        except Missing as error:
            complaints.append(f"{place}: {error}")
            expected = None
        if expected is not None and expected != block:
            complaints.append(f"{place}: not what {match['path'] or match['program']} has: "
                              "run scripts/check_docs.py --fix")
            block = expected
        result += [lines[at], *block, lines[end]]
        at = end + 1
    return result, complaints


def pages(root):
    return [name for name in check_tree.tracked_files(root)
            if name.startswith("docs/") and name.endswith(".md")]


def check(root, programs=None):
    return [text for name in pages(root) for text in rewrite(root, name, programs)[1]]


def fix(root, programs=None):
    for name in pages(root):
        (root / name).write_text("\n".join(rewrite(root, name, programs)[0]) + "\n")


if __name__ == "__main__":
    check_tree.main(pathlib.Path(__file__).stem, check, fix,
                    [("--programs", "directory of the examples, whose output is compared too")])
