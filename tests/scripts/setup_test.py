#!/usr/bin/env python3
"""scripts/setup.sh on made-up machines: fake dpkg-query, apt-get, id and sudo record their calls."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SETUP = pathlib.Path(__file__).resolve().parents[2] / "scripts/setup.sh"


class Setup(unittest.TestCase):
    def run_setup(self, missing=(), uid=0, absent=()):
        """Exit status, messages and recorded calls where the packages `missing` are not installed
        and the commands `absent` do not exist."""
        with tempfile.TemporaryDirectory() as folder:
            tools = pathlib.Path(folder)
            for name in ("bash", "env"):
                (tools / name).symlink_to(shutil.which(name))
            record = f'echo "$(basename "$0") $*" >> "{folder}/calls"'
            fakes = {
                "dpkg-query": f'case " {" ".join(missing)} " in *" ${{@: -1}} "*) exit 1;; esac;'
                              "echo -n installed",
                "id": f"echo {uid}",
                "basename": 'echo "${1##*/}"',
                "apt-get": record,
                "sudo": record + '; exec "$@"',
            }
            for name, body in fakes.items():
                if name not in absent:
                    (tools / name).write_text(f"#!{tools}/bash\n{body}\n")
                    (tools / name).chmod(0o755)
            run = subprocess.run([tools / "bash", SETUP], env={"PATH": folder}, text=True,
                                 capture_output=True, cwd=os.sep)
            calls = tools / "calls"
            recorded = calls.read_text().splitlines() if calls.exists() else []
            self.assertEqual(run.stdout, "", "standard output is left to the job")
            return run.returncode, run.stderr, recorded

    def test_does_nothing_when_all_is_there(self):
        status, text, calls = self.run_setup(uid=1000)
        self.assertEqual((status, calls), (0, []))
        self.assertIn("packages are installed", text)

    def test_root_installs_only_what_is_missing(self):
        status, text, calls = self.run_setup(missing=["catch2", "cmake"])
        self.assertEqual((status, len(calls)), (0, 2), text)
        self.assertTrue(calls[0].startswith("apt-get update"))
        self.assertTrue(calls[1].endswith("--no-install-recommends cmake catch2"), calls)
        self.assertIn("installing cmake catch2", text)

    def test_others_go_through_sudo(self):
        status, _, calls = self.run_setup(missing=["catch2"], uid=1000)
        self.assertEqual(status, 0)
        self.assertEqual([call.split()[0] for call in calls], ["sudo", "apt-get"] * 2)

    def test_without_root_or_sudo_it_says_what_is_missing(self):
        status, text, calls = self.run_setup(missing=["catch2"], uid=1000, absent=["sudo"])
        self.assertEqual((status, calls), (1, []))
        self.assertIn("missing packages: catch2", text)

    def test_without_apt_it_names_the_packages(self):
        status, text, calls = self.run_setup(missing=["catch2"], absent=["apt-get"])
        self.assertEqual((status, calls), (1, []))
        self.assertIn("no apt", text)
        self.assertIn("libdnnl-dev", text)


if __name__ == "__main__":
    unittest.main()
