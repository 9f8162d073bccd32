#!/usr/bin/env python3
"""The source checks can fail: each is run as a command on a made-up tree that breaks one rule.

The same tree without the violation passes, so a complaint comes from the violation alone.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

SOFTMAX = [
    "tensor/ops/softmax.h", "tensor/ops/softmax.cpp", "tensor/backend/cpu/softmax.cpp",
    "tensor/backend/reference/softmax.cpp", "autograd/ops/softmax.h", "autograd/ops/softmax.cpp",
    "tests/ops/softmax_test.cpp",
]
CLEAN = {name: "#pragma once\n" if name.endswith(".h") else "" for name in SOFTMAX} | {
    "tensor/base/error.h": "#pragma once\n",
    "tensor/base/parallel.cpp": "#include <omp.h>\n#pragma omp parallel\n",
    "tensor/backend/cpu/gemm.h": "#include <cblas.h>\n#include <immintrin.h>\n",
    "tensor/backend/cuda/gemm.cu": "#include <cuda_runtime.h>\n",
    "tensor/tensor.h": '#include "tensor/base/error.h"\n',
    "autograd/variable.h": '#include "tensor/tensor.h"\n',
    "nn/module.h": '#include "autograd/variable.h"\n',
    "data/batch.h": '#include "tensor/tensor.h"\n',
    "distill/run.h": '#include "data/batch.h"\n#include "nn/module.h"\n',
    "cli/main.cpp": '#include "distill/run.h"\n',
}


class ChecksCanFail(unittest.TestCase):
    def run_check(self, name, changes):
        """Exit status and stderr of scripts/check_NAME.py on CLEAN with `changes` (None deletes)."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            shutil.copy(ROOT / ".clang-format", root)
            for path, text in (CLEAN | changes).items():
                if text is not None:
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_text(text)
            run = subprocess.run([sys.executable, ROOT / f"scripts/check_{name}.py", root],
                                 capture_output=True, text=True)
            return run.returncode, run.stderr

    def assert_complains(self, name, changes, expected):
        status, text = self.run_check(name, changes)
        self.assertEqual(status, 1, text)
        self.assertIn(expected, text)
        self.assertEqual(len(text.splitlines()), 1, "one violation, one complaint: " + text)

    def test_clean_tree_passes_every_check(self):
        for name in ("layers", "stems", "files", "format", "docs", "op_cases", "op_docs", "golden"):
            with self.subTest(name):
                self.assertEqual(self.run_check(name, {}), (0, ""))

    def test_layers(self):
        upward = "may include only"
        inside = "inside tensor: base <- backend"
        for path, include, expected in [
                ("autograd/a.h", '"nn/module.h"', upward),
                ("nn/a.h", '"data/batch.h"', upward),
                ("data/a.h", '"autograd/variable.h"', upward),
                ("distill/a.h", '"cli/main.cpp"', upward),
                ("nn/a.h", "<distill/run.h>", upward),
                ("bench/a.h", '"cli/main.cpp"', "nothing includes cli"),
                ("examples/a.h", '"cli/main.cpp"', "nothing includes cli"),
                ("autograd/a.h", '"tensor/backend/cpu/gemm.h"', "never includes tensor/backend"),
                ("tensor/base/a.h", '"tensor/backend/cpu/gemm.h"', inside),
                ("tensor/backend/a.h", '"tensor/tensor.h"', inside),
                ("tensor/storage.h", '"tensor/ops/softmax.h"', inside),
                ("tensor/backend/cpu/a.h", '"tensor/backend/cuda/gemm.cu"', "never include each"),
                ("tensor/backend/cuda/a.h", '"tensor/backend/cpu/gemm.h"', "never include each"),
                ("tensor/backend/cpu/a.h", "<cublasLt.h>", "CUDA headers"),
                ("nn/a.h", "<cblas.h>", "BLAS and oneDNN headers"),
                ("tensor/ops/softmax.h", "<oneapi/dnnl/dnnl.hpp>", "BLAS and oneDNN headers"),
                ("tensor/backend/reference/a.h", "<immintrin.h>", "intrinsics belong"),
                ("distill/a.h", "<omp.h>", "OpenMP belongs"),
                ("distill/a.h", '"run.h"', "include from the root"),
                ("distill/a.h", '"distill/absent.h"', "include from the root"),
                ("tensor/base/error.h", '"tensor/base/error.h"', "include cycle"),
        ]:
            with self.subTest(f"{path} includes {include}"):
                self.assert_complains("layers", {path: f"#include {include}\n"}, expected)
        self.assert_complains("layers", {"tensor/ops/softmax.cpp": "  #pragma omp simd\n"},
                              "OpenMP belongs")
        self.assert_complains("layers", {"tensor/backend/reference/softmax.cpp": "#define A\n"},
                              "no macros")
        self.assert_complains("layers", {"nn/module.h": '#include "nn/b.h"\n',
                                         "nn/b.h": '#include "nn/module.h"\n'}, "include cycle")

    def test_stems(self):
        for path in SOFTMAX[1:]:
            with self.subTest(path):
                self.assert_complains("stems", {path: None}, f"{path} is missing")
        self.assert_complains("stems", {"autograd/ops/gelu.h": ""}, "tensor/ops/gelu.h is missing")
        self.assert_complains("stems", {"tensor/backend/reference/gelu.cpp": ""},
                              "tensor/ops/gelu.h is missing")

    def test_stem_exceptions(self):
        listed = "scripts/stem_exceptions.txt"
        gone = {"autograd/ops/softmax.h": None, "autograd/ops/softmax.cpp": None}
        reasons = "# why\n" + "".join(f"{path}: integers have no gradient\n" for path in gone)
        self.assertEqual(self.run_check("stems", gone | {listed: reasons}), (0, ""))
        helper = {"tensor/ops/operand.h": "", listed: "tensor/ops/operand.h: a helper, no op\n"}
        self.assertEqual(self.run_check("stems", helper), (0, ""))
        self.assert_complains("stems", {listed: "tensor/ops/softmax.h: an op\n"}, "no exception")
        self.assert_complains("stems", {listed: "tensor/ops/relu.cpp: old\n"}, "needs no exception")
        unexplained = reasons.replace("integers have no gradient", "", 1)
        self.assert_complains("stems", gone | {listed: unexplained}, "expected 'path: reason'")
        self.assert_complains("stems", gone | {listed: reasons + reasons.splitlines()[1] + "\n"},
                              "listed twice")

    def test_op_cases(self):
        declared = {"tensor/ops/softmax.h": "#pragma once\nTensor softmax(const Tensor& x);\n"
                                            "Shape shape_of(const Tensor& x);\n"}
        test = "tests/ops/softmax_test.cpp"
        case = 'check_op_case({"softmax/wide", {}, [](const Vars& x) { return softmax(x[0]); }});\n'
        self.assertEqual(self.run_check("op_cases", declared | {test: case}), (0, ""))
        none = "tensor/ops/softmax.h:2: softmax has no OpCase"
        self.assert_complains("op_cases", declared, none)
        # A name in an error text, or a case that never calls the operation, is no case.
        self.assert_complains("op_cases", declared | {test: 'Contains("softmax")'}, none)
        self.assert_complains("op_cases",
                              declared | {test: case.replace("return softmax", "return exp")}, none)
        in_place = {"autograd/ops/softmax.h": "#pragma once\nvoid fill_(Tensor& y);\n"
                                              "Variable operator+(const Variable& a);\n"}
        self.assert_complains("op_cases", in_place, "fill_ has no OpCase")
        listed = "scripts/op_case_exceptions.txt"
        self.assertEqual(self.run_check("op_cases", declared | {listed: "softmax: why\n"}), (0, ""))
        self.assert_complains("op_cases", declared | {test: case, listed: "softmax: why\n"},
                              "softmax needs no exception")

    def test_golden(self):
        declared = {"tensor/ops/softmax.h": "#pragma once\nTensor softmax(const Tensor& x);\n"}
        table = "tests/golden/op_table.cpp"
        row = 't["softmax/axis0"] = [](const Vars& x) { return softmax(x[0], 0); };\n'
        self.assertEqual(self.run_check("golden", declared | {table: row}), (0, ""))
        none = "tensor/ops/softmax.h:2: softmax has no golden case"
        self.assert_complains("golden", declared, none)
        self.assert_complains("golden", declared | {table: row.replace("softmax/", "max/")}, none)
        listed = "scripts/golden_exceptions.txt"
        self.assertEqual(self.run_check("golden", declared | {listed: "softmax: why\n"}), (0, ""))
        self.assert_complains("golden", declared | {table: row, listed: "softmax: why\n"},
                              "softmax needs no exception")

    def test_op_docs(self):
        head = "// Softmax. Floating dtypes.\n#pragma once\nnamespace athanor {\n"
        comment = "// Along `axis`. Throws for an axis out of range.\n"
        tensor = "Tensor softmax(const Tensor& x, int axis);\n"
        path = "tensor/ops/softmax.h"
        self.assertEqual(self.run_check("op_docs", {path: head + comment + tensor}), (0, ""))
        self.assert_complains("op_docs", {path: head + tensor}, "lacks: shapes, errors")
        # A blank line ends what a comment stands for.
        self.assert_complains("op_docs", {path: head + comment + "\n" + tensor},
                              "lacks: shapes, errors")
        self.assert_complains("op_docs", {path: head.replace("Floating", "All") .replace("dtypes", "")
                                          + comment + tensor}, "the comment of softmax lacks: dtypes")
        variable = "Variable softmax(const Variable& x);"
        path = "autograd/ops/softmax.h"
        head = head.replace("Softmax.", "Arguments and errors as in tensor/ops/softmax.h.")
        self.assertEqual(self.run_check(
            "op_docs", {path: head + variable + "  // dx = y (dy - sum(y dy))\n"}), (0, ""))
        self.assert_complains("op_docs", {path: head + variable + "  // the usual\n"},
                              "lacks: gradient's formula")

    def test_files(self):
        self.assertEqual(self.run_check("files", {"nn/a.h": "\n" * 400}), (0, ""))
        self.assert_complains("files", {"nn/a.h": "\n" * 401}, "longer than 400 lines")
        self.assert_complains("files", {"README.md": "see /ho" "me/me/notes\n"},
                              "path of one machine")
        self.assert_complains("files", {"docs/a.md": "[all](../nn/module.h) [none](b.md#part)\n"},
                              "dead link: b.md")
        lambda_in_code = "```cpp\n[](int i) {}\n```\n"
        self.assertEqual(self.run_check("files", {"docs/a.md": lambda_in_code}), (0, ""))
        self.assert_complains("files", {"docs/a.md": lambda_in_code + "[none](b.md)\n"},
                              "docs/a.md:4: dead link: b.md")
        self.assert_complains("files", {"nn/a.h": "// TO" "DO: later\n"}, "left for later")

    def test_format(self):
        bad = "int  f( ){return 1 ;}\nint  g( ){return 1 ;}\n"
        self.assert_complains("format", {"nn/a.h": bad}, "nn/a.h:1: code should be clang-formatted")
        status, text = self.run_check("format", {"nn/a.h": bad, "data/a.cpp": bad})
        self.assertEqual((status, len(text.splitlines())), (1, 2), text)

    def test_docs(self):
        source = {"nn/a.h": "int one();\nint f() {\n  return 2;\n}\n"}
        page = '<!-- code nn/a.h{} -->\n```cpp\n{}```\n'
        whole, part = source["nn/a.h"], "int f() {\n  return 2;\n}\n"
        snippet = ' from "int f(" to "}"'
        for where, block in [("", whole), (snippet, part), (' from "one"', "int one();\n")]:
            self.assertEqual(self.run_check("docs", source | {"docs/a.md": page.format(where, block)}),
                             (0, ""))
        for text, expected in [
                (page.format("", part), "not what nn/a.h has"),
                (page.format(snippet, whole), "not what nn/a.h has"),
                (page.format(' from "int g("', ""), "has no line with 'int g('"),
                (page.format(' from "int f(" to "end"', ""), "has no line 'end'"),
                (page.format("", whole).replace("a.h", "b.h"), "no such file: nn/b.h"),
                ("<!-- code nn/a.h -->\ntext\n", "expected a fenced block"),
                ("<!-- code nn/a.h -->\n```cpp\n", "does not end"),
        ]:
            with self.subTest(expected):
                self.assert_complains("docs", source | {"docs/a.md": text}, expected)

    def test_ops(self):
        self.assert_complains("ops", {}, "docs/ops.md:1: not what the sources have")
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "docs").mkdir()
            (root / "tensor/ops").mkdir(parents=True)
            (root / "tensor/ops/softmax.cpp").write_text("")
            header = root / "tensor/ops/softmax.h"
            header.write_text("// exp\nTensor softmax(const Tensor& x);\n")
            command = [sys.executable, ROOT / "scripts/check_ops.py", root]
            self.assertEqual(subprocess.run([*command, "--fix"]).returncode, 0)
            self.assertIn("| `softmax` | softmax | yes |", (root / "docs/ops.md").read_text())
            header.write_text("Tensor softmin(const Tensor& x);\n")
            self.assertEqual(subprocess.run(command, capture_output=True).returncode, 1)


if __name__ == "__main__":
    unittest.main()
