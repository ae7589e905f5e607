"""Programs, processes and logs that the tests of the collectors share."""

import os
import pathlib
import shutil
import subprocess
import time

import pytest

COLLECTORS = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "collectors"))
AGENT = os.path.join(COLLECTORS, "agent")
CLIENT = os.path.join(COLLECTORS, "client")
COLLECT = os.path.join(AGENT, "collect")
SBIN = ":/usr/local/sbin:/usr/sbin:/sbin"  # the collectors search there, too


def has_program(*programs):
    """Is one of these programs installed?"""
    return any(shutil.which(name, path=os.environ.get("PATH", "") + SBIN) for name in programs)


needs_top = pytest.mark.skipif(
    not has_program("top"), reason="top is not there (apt install procps)"
)
needs_iotop = pytest.mark.skipif(
    not has_program("iotop", "iotop-py", "iotop-c"), reason="iotop is not there (apt install iotop)"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def read_command(pid):
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


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rsplit(b")", 1)[1].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def collect(*options, shell=None, **more):
    more.setdefault("timeout", 60)
    argv = ([*shell] if shell else []) + [COLLECT, *map(str, options)]
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def collector_pid(out):
    return int((out / "collector.pid").read_text().split()[0])


def list_children(pid):
    """Processes whose parent is `pid`."""
    children = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as f:
                    if int(f.read().rsplit(b")", 1)[1].split()[1]) == pid:
                        children.append(int(name))
            except OSError:
                pass
    return children


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


def start_sleep():
    """Start `sleep` and wait until the process has that name, which exec sets late."""
    p = subprocess.Popen(["sleep", "30"])
    assert wait_for(lambda: pathlib.Path(f"/proc/{p.pid}/comm").read_text() == "sleep\n")
    return p


def decompress(path):
    """The bytes of a log, compressed or not."""
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-qdc", path], stdout=subprocess.PIPE, check=True).stdout
    if path.suffix == ".gz":
        return subprocess.run(["gzip", "-dc", path], stdout=subprocess.PIPE, check=True).stdout
    return path.read_bytes()


def segments(folder, stem):
    return sorted(p for p in folder.iterdir() if p.match(f"{stem}.0*.log*"))
