# ruff: noqa: PTH123
"""The same under every shell and under an old Python; wrong calls are refused."""

import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import COLLECT, collect, collector_pid, needs_top, snapshots, wait_for


@needs_top
@pytest.mark.parametrize("shell", ["dash", "busybox", "bash"])
def test_the_same_under_every_shell(recording, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not there (apt install {shell})")
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    out = recording("--interval", "0.3", "--only", "^qv-nobody$", shell=words)
    status = collect("status", "--out", out, shell=words)
    assert status.returncode == 0 and "tasks.log" in status.stdout
    assert collect("stop", "--out", out, shell=words).returncode == 0
    assert "start --out DIR" in collect("--help", shell=words).stdout
    assert collect("nonsense", shell=words).returncode == 2
    assert collect("check", shell=words).returncode in (0, 1)


def old_python():
    """A Python 3.6 that runs, if there is one."""
    found = [shutil.which("python3.6"), "/usr/libexec/platform-python"]
    found += sorted(pathlib.Path.home().glob(".pyenv/versions/3.6.*/bin/python3.6"))
    for path in filter(None, found):
        try:
            said = subprocess.run(
                [path, "-V"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ).stdout
        except OSError:
            continue
        if said.startswith(b"Python 3.6."):
            return os.fspath(path)
    return None


@needs_top
def test_it_runs_under_python_3_6(recording):
    python = old_python()
    if python is None:
        pytest.skip("no Python 3.6 here; its grammar is checked all the same")
    env = dict(os.environ, QUEUEVISOR_PYTHON=python)
    out = recording("--interval", "0.3", "--rotate", "1s", "--only", "^qv-nobody$", env=env)
    assert wait_for(lambda: len(list(out.glob("tasks.*"))) >= 2, 30)
    with open(f"/proc/{collector_pid(out)}/cmdline", "rb") as f:
        assert f.read().split(b"\0")[0] == os.fsencode(python)
    p = collect("stop", "--out", out, env=env)
    assert p.returncode == 0 and "CPU seconds" in p.stdout, p.stderr
    pieces = sorted(x for x in out.iterdir() if x.name.startswith("tasks."))
    assert len(pieces) >= 2 and snapshots(pieces[-1])[1] == "#END SIGTERM"


def test_no_bashism():
    assert subprocess.run(["sh", "-n", COLLECT]).returncode == 0
    if shutil.which("dash"):
        assert subprocess.run(["dash", "-n", COLLECT]).returncode == 0
    if shutil.which("checkbashisms"):
        p = subprocess.run(
            ["checkbashisms", "-f", COLLECT],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert p.returncode == 0, p.stdout


@pytest.mark.parametrize(
    "words",
    [
        "start", "start --out", "stop", "run --out x", "start --out x --interval 0",
        "start --out x --only (", "start --out x --role ../up", "start --out x --rotate 64", "stop --out /nowhere",
    ],
)  # fmt: skip
def test_a_wrong_call_is_refused(words, folder):
    p = collect(*words.split(), cwd=folder)
    assert p.returncode == 2 and p.stderr
    assert list(folder.iterdir()) == []
