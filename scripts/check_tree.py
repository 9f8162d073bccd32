"""What the checks share: the files of a source tree, and reporting.

A check is a function from a root directory to a list of complaints "path:line: message". Its
command line takes an optional root, so that the self-test can run it on made-up trees.
"""

import argparse
import os
import pathlib
import subprocess
import sys

CODE = {".h", ".cpp", ".cu", ".cuh"}
LAYERS = ["tensor", "autograd", "nn", "data", "distill", "cli", "examples", "bench", "tests"]
SKIPPED_FOLDERS = {".git", ".cache", "build", "runs", "__pycache__"}


def tracked_files(root):
    """Sorted root-relative paths: git's view of the tree, or a walk where there is no git."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"]
        try:
            listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            names = set(listed.splitlines())
            return sorted(name for name in names if (root / name).is_file())
        except (OSError, subprocess.CalledProcessError):
            pass  # no git here, or a checkout of another user: the walk sees the same sources
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        found += [str((pathlib.Path(folder) / name).relative_to(root)) for name in names]
    return sorted(found)


def code_files(root):
    """The C++ and CUDA sources of the layers."""
    return [name for name in tracked_files(root)
            if pathlib.PurePath(name).suffix in CODE and name.split("/")[0] in LAYERS]


def read_lines(root, name):
    return (root / name).read_text(encoding="utf-8", errors="replace").splitlines()


def read_exceptions(root, path):
    """{name: line number} of a file of lines "name: reason", and complaints about the file."""
    entries, complaints = {}, []
    if not (root / path).exists():
        return entries, complaints
    for number, line in enumerate(read_lines(root, path), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, reason = (part.strip() for part in line.partition(":"))
        if not reason:
            complaints.append(f"{path}:{number}: expected 'path: reason', got '{line}'")
        if name in entries:
            complaints.append(f"{path}:{number}: {name} is listed twice")
        entries[name] = number
    return entries, complaints


def needless_exceptions(path, exceptions, used):
    """Complaints about exceptions (of read_exceptions) that excused nothing."""
    return [f"{path}:{number}: {name} needs no exception"
            for name, number in exceptions.items() if name not in used]


def main(title, check, fix=None, options=()):
    """Runs check(root), prints its complaints on stderr and exits 1 if there are any.

    With `fix`, --fix runs fix(root) first. `options` are (flag, help) of further arguments, which
    check and fix receive by keyword.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("root", nargs="?", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    if fix:
        parser.add_argument("--fix", action="store_true", help="repair what can be")
    for flag, text in options:
        parser.add_argument(flag, help=text)
    arguments = vars(parser.parse_args())
    root = arguments.pop("root").resolve()
    if not root.is_dir():
        sys.exit(f"{title}: no such directory: {root}")
    if arguments.pop("fix", False):
        fix(root, **arguments)
    complaints = check(root, **arguments)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{title}: " + (f"{len(complaints)} complaints" if complaints else "ok"))
    sys.exit(1 if complaints else 0)
