#!/usr/bin/env python3
"""Small files, live links, and nothing that belongs to one machine or was left for later."""

import pathlib
import re

import check_tree

MAX_LINES = 400
BUILD = {".py", ".sh", ".cmake", ".txt"}
TEXT = check_tree.CODE | BUILD | {".md", ".json", ".toml", ".html", ".js", ".css", ".in", ""}

# An absolute path into somebody's home or workspace, at the start of a word.
MACHINE_PATH = re.compile(r"(?<![\w.}/-])/(?:home|root|Users|mnt|work|workspace|private)/\w")
LEFTOVER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def dead_links(root, name, line):
    """Targets of relative Markdown links in `line` that do not exist."""
    targets = [target for target in LINK.findall(line) if "://" not in target]
    return [target for target in targets if not (root / name).parent.joinpath(target).exists()]


def check(root):
    complaints = []
    for name in check_tree.tracked_files(root):
        suffix = pathlib.PurePath(name).suffix
        if suffix not in TEXT or name == "LICENSE":
            continue
        lines = check_tree.read_lines(root, name)
        if suffix in check_tree.CODE | BUILD and len(lines) > MAX_LINES:
            complaints.append(f"{name}:{len(lines)}: longer than {MAX_LINES} lines")
        fenced = False  # code in Markdown: [](...) is no link there
        for number, line in enumerate(lines, 1):
            fenced ^= line.startswith("```")
            if MACHINE_PATH.search(line):
                complaints.append(f"{name}:{number}: path of one machine: {line.strip()}")
            if suffix in check_tree.CODE | BUILD and LEFTOVER.search(line):
                complaints.append(f"{name}:{number}: left for later: {line.strip()}")
            if suffix == ".md" and not fenced:
                complaints += [f"{name}:{number}: dead link: {target}"
                               for target in dead_links(root, name, line)]
    return complaints


if __name__ == "__main__":
    check_tree.main(pathlib.Path(__file__).stem, check)
