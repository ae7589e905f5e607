"""Recordings of real processes; a folder whose path a user without rights can read."""

import os
import pathlib
import shutil
import signal
import tempfile

import pytest

from .helpers import collect, collector_pid, wait_for


@pytest.fixture
def folder():
    path = tempfile.mkdtemp(prefix="qv-test-")
    os.chmod(path, 0o755)
    yield pathlib.Path(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def recording(folder):
    """Starts collectors, and stops those that a failed test left running."""
    outs = []

    def start(*options, out=None, **more):
        out = out or folder / f"out{len(outs)}"
        outs.append(out)
        p = collect("start", "--out", out, "--allow-none", *options, **more)
        assert p.returncode in (0, 1), p.stderr + p.stdout
        start.stderr_text = p.stdout
        return out

    yield start
    for out in outs:
        try:
            os.kill(collector_pid(out), signal.SIGTERM)
            wait_for(lambda out=out: not (out / "collector.pid").exists(), 3)
        except (OSError, ValueError, IndexError):
            pass
