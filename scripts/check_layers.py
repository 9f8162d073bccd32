#!/usr/bin/env python3
"""Who may include whom (CONTRIBUTING.md, layers): reads every #include and holds it to the rules.

CMake lets each layer link only downwards, but headers share one include root, so the compiler
alone would accept an upward include.
"""

import pathlib
import re

import check_tree

# A layer may include itself and the layers listed here.
BELOW = {
    "tensor": [],
    "autograd": ["tensor"],
    "nn": ["autograd", "tensor"],
    "data": ["tensor"],
    "distill": ["nn", "data", "autograd", "tensor"],
}
TOP = ["cli", "examples", "bench", "tests"]  # include everything below, nothing includes them;
# only the tests of the command reach into cli, and examples use what of it is installed.
CLI_API = ("cli/run.h", "cli/registry.h")

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
OMP = re.compile(r"\s*#\s*pragma\s+omp\b|_Pragma\s*\(\s*\"omp\b")
CUDA = re.compile(r"(cuda|cublas|cudnn|curand|cusolver|cusparse|nccl|nvrtc|nvtx3|cub/|thrust/)")
CPU_MATH = re.compile(r"(cblas|lapacke?\.h|openblas|f77blas|dnnl|oneapi/dnnl)")
INTRINSICS = re.compile(r"\w*intrin\.h|arm_(neon|sve)\.h")


def tensor_rank(path):
    """base <- backend <- storage, tensor, random, io <- ops."""
    if path.startswith("tensor/base/"):
        return 0
    if path.startswith("tensor/backend/"):
        return 1
    if path.startswith("tensor/ops/") or path == "tensor/ops.h":
        return 3
    return 2


def project_include_error(name, target):
    """Why `name` must not include the project's file `target`; None if it may."""
    layer, other = name.split("/")[0], target.split("/")[0]
    if layer in TOP:
        api = layer == "examples" and target in CLI_API
        if other in TOP and other != layer and (layer, other) != ("tests", "cli") and not api:
            return f"nothing includes {other}"
        return None
    if other != layer and other not in BELOW[layer]:
        return f"{layer} may include only {', '.join([layer] + BELOW[layer])}"
    if layer == "autograd" and target.startswith("tensor/backend/"):
        return "autograd never includes tensor/backend"
    if layer == "tensor":
        for one, two in (("cpu", "cuda"), ("cuda", "cpu")):
            if name.startswith(f"tensor/backend/{one}/") and \
               target.startswith(f"tensor/backend/{two}/"):
                return "backend/cpu and backend/cuda never include each other"
        if tensor_rank(target) > tensor_rank(name):
            return "inside tensor: base <- backend <- storage, tensor, random, io <- ops"
    return None


def system_include_error(name, header):
    """Why `name` must not include <header>; None if it may."""
    # tests/cuda/emulation has headers of these names that run kernels on the CPU.
    if CUDA.match(header) and not name.startswith(("tensor/backend/cuda/", "tests/cuda/")):
        return "CUDA headers belong under tensor/backend/cuda"
    if CPU_MATH.match(header) and not name.startswith("tensor/backend/cpu/"):
        return "BLAS and oneDNN headers belong under tensor/backend/cpu"
    if INTRINSICS.fullmatch(header) and not name.startswith("tensor/backend/cpu/"):
        return "intrinsics belong under tensor/backend/cpu"
    if header == "omp.h" and not name.startswith("tensor/base/parallel"):
        return "OpenMP belongs in tensor/base/parallel"
    return None


def find_cycle(graph):
    """Some cycle of a graph {node: [node]}, as a list that ends where it starts; else None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for following in graph.get(node, []):
            cycle = visit(following)
            if cycle:
                return cycle
        path.pop()
        done.add(node)
        return None

    for start in sorted(graph):
        cycle = visit(start)
        if cycle:
            return cycle
    return None


def check(root):
    files = check_tree.code_files(root)
    known, graph, complaints = set(files), {}, []
    for name in files:
        graph[name] = []
        for number, line in enumerate(check_tree.read_lines(root, name), 1):
            error = None
            match = INCLUDE.match(line)
            if match:
                quoted, target = match.group(1) == '"', match.group(2)
                layered = target.split("/")[0] in check_tree.LAYERS
                if layered and target in known:
                    graph[name].append(target)
                    error = project_include_error(name, target)
                elif quoted:
                    error = f'"{target}" is not a file: include from the root of the tree'
                else:
                    error = system_include_error(name, target)
            elif OMP.search(line) and not name.startswith("tensor/base/parallel"):
                error = "OpenMP belongs in tensor/base/parallel"
            elif name.startswith("tensor/backend/reference/") and re.match(r"\s*#\s*define", line):
                error = "reference kernels use no macros"
            if error:
                complaints.append(f"{name}:{number}: {error}: {line.strip()}")
    cycle = find_cycle(graph)
    if cycle:
        complaints.append(f"{cycle[0]}:1: include cycle: {' -> '.join(cycle)}")
    return complaints


if __name__ == "__main__":
    check_tree.main(pathlib.Path(__file__).stem, check)
