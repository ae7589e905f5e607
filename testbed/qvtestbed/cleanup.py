"""The list of what the testbed has started and must take down.

The list is kept on disk, so that a later command can take down what an earlier one left. A process is identified by
its number and its start time.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from . import delay_accounting
from .cgroups import ControlGroups
from .console import print_status


def read_start_time(pid: int) -> int | None:
    """Read the start time of a process in ticks since boot; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


class CleanupList:
    """An ordered list of processes, loop devices, mounts and settings; undone in reverse order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items: list[dict] = []
        if path.exists():
            try:
                content = json.loads(path.read_text())
            except ValueError:
                content = {}
            if content.get("boot_id") == read_boot_id():
                self.items = content.get("items", [])

    def add(self, kind: str, **properties) -> None:
        """Add an item, on disk too."""
        self.items.append({"kind": kind, **properties})
        self.save()

    def add_process(self, pid: int, name: str) -> None:
        """Add a process with its start time."""
        self.add("process", pid=pid, start=read_start_time(pid), name=name)

    def save(self) -> None:
        """Write the list to disk, atomically."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({"boot_id": read_boot_id(), "items": self.items}, indent=1))
        partial.rename(self.path)

    def undo_all(self) -> list[str]:
        """Undo all items, last first; return a message for each one that failed. These stay on the list."""
        failures = []
        for item in reversed(list(self.items)):
            failure = undo(item)
            if failure:
                failures.append(failure)
            else:
                self.items.remove(item)
                self.save()
        return failures


def read_boot_id() -> str:
    """Read the identifier of this boot; a list of an earlier boot is ignored."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def undo(item: dict) -> str | None:
    """Undo one item; None if that worked, or if there is nothing left to undo."""
    if item["kind"] == "process":
        return end_process(item["pid"], item["start"], item["name"])
    if item["kind"] == "loop":
        return detach_loop(item["device"], item["file"])
    if item["kind"] == "mount":
        return unmount(item["path"])
    if item["kind"] == "delay_accounting":
        delay_accounting.agent.leave(item["pid"])
        return None
    if item["kind"] == "cgroups":
        return remove_cgroups()
    return f"unknown kind of item: {item}"


def end_process(pid: int, start: int | None, name: str, limit_s: float = 10.0) -> str | None:
    """End a process by SIGTERM, then SIGKILL, unless its number now belongs to another process."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if start is None or read_start_time(pid) != start:
            return None
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if read_start_time(pid) != start:
                return None
            time.sleep(0.05)
        print_status(f"{name} (pid {pid}) did not end within {limit_s:g} s of {number.name}")
    return f"{name} (pid {pid}) did not end"


def detach_loop(device: str, file: str) -> str | None:
    """Detach a loop device, unless it now belongs to another file."""
    backing = Path(f"/sys/block/{device.removeprefix('/dev/')}/loop/backing_file")
    if not backing.exists() or backing.read_text().strip() != file:
        return None
    process = subprocess.run(["losetup", "-d", device], capture_output=True, text=True)
    for _ in range(100):
        if not backing.exists():
            return None
        time.sleep(0.1)
    return f"{device} is still attached to {file}: {process.stderr.strip()}"


def unmount(path: str) -> str | None:
    """Unmount a file system, with retries."""

    def is_mounted() -> bool:
        with Path("/proc/mounts").open(encoding="utf-8") as mounts:
            return any(line.split()[1] == path for line in mounts)

    for _ in range(50):
        if not is_mounted():
            return None
        process = subprocess.run(["umount", path], capture_output=True, text=True)
        if process.returncode == 0 and not is_mounted():
            return None
        time.sleep(0.1)
    return f"{path} is still mounted: {process.stderr.strip()}"


def remove_cgroups() -> str | None:
    """Remove the testbed's control groups, with retries: a group is busy until its last process has ended."""
    for _ in range(50):
        failures = ControlGroups().remove()
        if not failures:
            return None
        time.sleep(0.1)
    return "; ".join(failures)
