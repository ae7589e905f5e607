# ruff: noqa: PTH100, PTH101, PTH118, PTH120, PTH123, PTH208, UP022
"""Real processes and real files; a folder whose path a user without rights can read."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

COLLECTORS = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "collectors"))
AGENT = os.path.join(COLLECTORS, "agent")
CLIENT = os.path.join(COLLECTORS, "client")
COLLECT = os.path.join(AGENT, "collect")

SBIN = ":/usr/local/sbin:/usr/sbin:/sbin"  # the collectors look there too


def have(*programs):
    """Is one of these there?"""
    return any(shutil.which(name, path=os.environ.get("PATH", "") + SBIN) for name in programs)


needs_top = pytest.mark.skipif(not have("top"), reason="top is not there (apt install procps)")
needs_iotop = pytest.mark.skipif(
    not have("iotop", "iotop-py", "iotop-c"), reason="iotop is not there (apt install iotop)"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def command_of(pid):
    """A process's command line; empty if it has ended since it was listed."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:
        return b""


def wait_for(condition, seconds=10.0, step=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(step)
    return condition()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rsplit(b")", 1)[1].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def collect(*words, shell=None, **more):
    more.setdefault("timeout", 60)
    argv = ([*shell] if shell else []) + [COLLECT, *map(str, words)]
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def collector_pid(out):
    return int((out / "collector.pid").read_text().split()[0])


def descendants(pid):
    """Processes whose parent is `pid`."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as f:
                    if int(f.read().rsplit(b")", 1)[1].split()[1]) == pid:
                        found.append(int(name))
            except OSError:
                pass
    return found


def snapshots(path):
    """[(sentinel fields, [lines])], and the last line."""
    result, lines = [], path.read_bytes().decode("utf-8", "replace").split("\n")
    assert lines.pop() == "", f"{path} does not end with a line's end"
    for line in lines:
        if line.startswith("#T "):
            result.append((line.split()[1:], []))
        elif result and not line.startswith("#"):
            result[-1][1].append(line)
    return result, lines[-1]


@pytest.fixture
def folder():
    path = tempfile.mkdtemp(prefix="qv-test-")
    os.chmod(path, 0o755)
    yield pathlib.Path(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def recording(folder):
    """Starts collectors, and ends what a failed test left."""
    outs = []

    def start(*options, out=None, **more):
        out = out or folder / f"out{len(outs)}"
        outs.append(out)
        p = collect("start", "--out", out, *options, **more)
        assert p.returncode in (0, 1), p.stderr + p.stdout
        start.said = p.stdout
        return out

    yield start
    for out in outs:
        try:
            os.kill(collector_pid(out), signal.SIGTERM)
            wait_for(lambda out=out: not (out / "collector.pid").exists(), 3)
        except (OSError, ValueError, IndexError):
            pass


def sleeper():
    """A process that surely has its own name: exec closes our pipe before it sets the name."""
    p = subprocess.Popen(["sleep", "30"])
    assert wait_for(lambda: pathlib.Path(f"/proc/{p.pid}/comm").read_text() == "sleep\n")
    return p
