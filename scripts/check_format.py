#!/usr/bin/env python3
"""Sources are formatted as .clang-format says. To repair: scripts/check_format.py --fix"""

import pathlib
import re
import shutil
import subprocess
import sys

import check_tree

WARNING = re.compile(r"^(?P<place>.+?:\d+):\d+: error: (?P<message>.*)$")


def check(root):
    """One complaint a file: the first place where clang-format would change it."""
    if not shutil.which("clang-format"):
        return ["clang-format is not installed: scripts/setup.sh installs it"]
    files = check_tree.code_files(root)
    if not files:
        return []
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *files],
                         cwd=root, capture_output=True, text=True)
    if run.returncode == 0:
        return []
    matches = filter(None, map(WARNING.match, run.stderr.splitlines()))
    first = {match["place"].rsplit(":", 1)[0]: match for match in reversed(list(matches))}
    complaints = [f"{match['place']}: {match['message']}" for match in first.values()]
    return sorted(complaints) or [run.stderr.strip()]


if __name__ == "__main__":
    if sys.argv[1:] == ["--fix"]:
        here = pathlib.Path(__file__).resolve().parent.parent
        sys.exit(subprocess.run(["clang-format", "-i", *check_tree.code_files(here)],
                                cwd=here).returncode)
    check_tree.main(pathlib.Path(__file__).stem, check)
