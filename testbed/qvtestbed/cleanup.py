"""What the testbed has started and must take down: a list on disk, so that a later call can
take down what an earlier one left. A process is known by its number and its start time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from . import delay_accounting
from .console import say


def start_time(pid: int) -> int | None:
    """The start time of a process in ticks since boot; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


class Owned:
    """An ordered record of processes, loop devices and mounts; taken down in reverse order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items: list[dict] = []
        if path.exists():
            try:
                kept = json.loads(path.read_text())
            except ValueError:
                kept = {}
            if kept.get("boot_id") == boot_id():
                self.items = kept.get("items", [])

    def add(self, kind: str, **what) -> None:
        """Remember one more thing, on disk too."""
        self.items.append({"kind": kind, **what})
        self.save()

    def add_process(self, pid: int, name: str) -> None:
        """Remember a process with its start time."""
        self.add("process", pid=pid, start=start_time(pid), name=name)

    def save(self) -> None:
        """Write the list whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({"boot_id": boot_id(), "items": self.items}, indent=1))
        partial.rename(self.path)

    def find(self, kind: str, **what) -> dict | None:
        """The first thing of a kind with these properties."""
        for item in self.items:
            if item["kind"] == kind and all(item.get(key) == value for key, value in what.items()):
                return item
        return None

    def take_down(self) -> list[str]:
        """Undo everything, last first; returns what could not be undone."""
        failures = []
        for item in reversed(list(self.items)):
            failure = undo(item)
            if failure:
                failures.append(failure)
            else:
                self.items.remove(item)
                self.save()
        return failures


def boot_id() -> str:
    """This boot's name: a list of an earlier boot means nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def undo(item: dict) -> str | None:
    """Take one thing down; None if it is gone."""
    if item["kind"] == "process":
        return end_process(item["pid"], item["start"], item["name"])
    if item["kind"] == "loop":
        return detach_loop(item["device"], item["file"])
    if item["kind"] == "mount":
        return unmount(item["path"])
    if item["kind"] == "setting":
        Path(item["path"]).write_text(item["value"])
        return None
    if item["kind"] == "delays":
        delay_accounting.delays.leave(item["pid"])
        return None
    if item["kind"] == "cgroups":
        from .cgroups import Groups

        for _ in range(50):
            left = Groups().remove()
            if not left:
                return None
            time.sleep(0.1)
        return "; ".join(left)
    return f"unknown kind of thing: {item}"


def end_process(pid: int, start: int | None, name: str, limit_s: float = 10.0) -> str | None:
    """SIGTERM, then SIGKILL; only if the number still belongs to the process we started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if start is None or start_time(pid) != start:
            return None
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if start_time(pid) != start:
                return None
            time.sleep(0.05)
        say(f"{name} ({pid}) did not end on signal {number.name}")
    return f"process {pid} ({name}) does not end"


def detach_loop(device: str, file: str) -> str | None:
    """Detach a loop device if it still belongs to our file."""
    name = device.removeprefix("/dev/")
    backing = Path(f"/sys/block/{name}/loop/backing_file")
    if not backing.exists() or backing.read_text().strip() != file:
        return None
    done = subprocess.run(["losetup", "-d", device], capture_output=True, text=True)
    for _ in range(100):
        if not backing.exists():
            return None
        time.sleep(0.1)
    return f"{device} stays attached to {file}: {done.stderr.strip()}"


def unmount(path: str) -> str | None:
    """Unmount, patiently."""

    def mounted() -> bool:
        with Path("/proc/mounts").open(encoding="utf-8") as stream:
            return any(line.split()[1] == path for line in stream)

    for _ in range(50):
        if not mounted():
            return None
        done = subprocess.run(["umount", path], capture_output=True, text=True)
        if done.returncode == 0 and not mounted():
            return None
        time.sleep(0.1)
    return f"{path} stays mounted: {done.stderr.strip()}"
