"""tests/without_programs hides what it is told to, gives the command's exit code, and never passes where it cannot."""

import os
import shutil
import subprocess

import pytest


def without(root, *words, **more):
    return subprocess.run(
        ["/bin/sh", root / "tests/without_programs", *words], capture_output=True, text=True, **more
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_program_is_gone_in_there_and_nowhere_else(root):
    there = shutil.which("env")
    done = without(root, "env", "no-such-program", "--", "sh", "-c", "command -v env; exit 7")
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")
    assert shutil.which("env") == there


def test_where_no_namespace_is_to_be_had_it_fails_and_says_so(root):
    done = without(root, "env", "--", "true", env={"PATH": "/nonexistent"})
    assert done.returncode == 2
    assert "unshare" in done.stderr and done.stderr.count("\n") == 1
