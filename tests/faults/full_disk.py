"""A disk that is full: one message, nothing half, and right numbers as soon as there is space."""

import contextlib
import resource
import signal
import subprocess
from collections.abc import Iterator
from functools import partial

from fault_case import LEFTOVER, LOST, TRACEBACK, Case, Outcome
from fault_judge import crash_of, leftovers
from fault_study import Copy
from fault_worker import run_command
from killed import _compare

SIZES_KB = (20, 40, 60, 100)
FILE_LIMITS = (2_000, 4_000, 10_000)


def cases() -> Iterator[Case]:
    """Faults of a full disk."""
    for size in SIZES_KB:
        name = f"full disk/{size} kB for the tables"
        yield Case(name, "E", lambda copy: None, program=partial(_full, name=name, size_kb=size))
    for size in FILE_LIMITS:
        name = f"full disk/files of at most {size} bytes"
        yield Case(name, "E", lambda copy: None, program=partial(_limited, name=name, size=size))
    for target in ("csv", "xlsx", "parquet"):
        name = f"full disk/ledger -o on a full disk, {target}"
        yield Case(
            name,
            "E",
            lambda copy: None,
            ingested=True,
            program=partial(_full_output, name=name, suffix=target),
        )


@contextlib.contextmanager
def small_disk(copy: Copy, folder: str, size_kb: int) -> Iterator[bool]:
    """A file system of that size at a folder of the copy; False where this user may not mount one."""
    path = copy.folder / folder
    path.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "faults", str(path)], capture_output=True
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(path)], check=False)


def _full(copy: Copy, name: str, size_kb: int) -> Outcome:
    with small_disk(copy, "processed", size_kb) as is_mounted:
        if not is_mounted:
            return _limited(copy, name, size_kb * 100)
        done = run_command(copy.folder, ("ingest",))
        outcome = _refusal(name, done.code, crash_of(done), done.stderr)
        if outcome is not None:
            return outcome
        if remains := leftovers(copy):
            return Outcome(name, "E", LEFTOVER, ", ".join(remains[:3]))
        subprocess.run(["mount", "-o", "remount,size=100m", str(copy.processed)], check=True)
        return _compare(copy, name, run_command(copy.folder, ("ingest",)), _last(done.stderr))


def _refusal(name: str, code: int | None, crash: str | None, stderr: str) -> Outcome | None:
    if crash:
        return Outcome(name, "E", TRACEBACK, crash)
    if code == 0:  # there is space
        return None
    if code not in (1, 2):
        return Outcome(name, "E", LOST, f"exit code {code}")
    if not any(text in stderr for text in ("space", "too large", "cannot be written", "disk")):
        return Outcome(
            name, "E", TRACEBACK, f"the message does not say what to do: {_last(stderr)}"
        )
    return None


def _last(stderr: str) -> str:
    return stderr.strip().splitlines()[-1][:200] if stderr.strip() else ""


def _limited(copy: Copy, name: str, size: int) -> Outcome:
    """The same with a limit of the size of each file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        done = run_command(copy.folder, ("ingest",))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    if outcome := _refusal(name, done.code, crash_of(done), done.stderr):
        return outcome
    if remains := leftovers(copy):
        return Outcome(name, "E", LEFTOVER, ", ".join(remains[:3]))
    return _compare(copy, name, run_command(copy.folder, ("ingest",)), _last(done.stderr))


def _full_output(copy: Copy, name: str, suffix: str) -> Outcome:
    with small_disk(copy, "small", 8) as is_mounted:
        target = copy.folder / "small" / f"ledger.{suffix}"
        if not is_mounted:
            target.symlink_to("/dev/full")
        done = run_command(copy.folder, ("ledger", "-o", str(target)))
        if outcome := _refusal(name, done.code, crash_of(done), done.stderr):
            return outcome
        remains = [path.name for path in (copy.folder / "small").iterdir() if is_mounted]
    return Outcome(
        name, "E", LEFTOVER if remains else "same", ", ".join(remains) or _last(done.stderr)
    )
