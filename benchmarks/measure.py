"""CPU time and memory of other processes, and their ratios to a peer.

Only the standard library is imported: on Linux the peak memory of a child process includes what its parent had when
the child was started.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BEFORE = "8cf8864"
"""Commit whose readers and commands are a peer: the last one that read a whole log into memory."""
BEFORE_NEEDS = ("pandera==0.35.0", "typeguard", "typing-inspect")
"""Libraries of that commit that this one does not have."""
MB = 1_000_000
PR_SET_CHILD_SUBREAPER = 36
"""Of prctl(2)."""
ORPHAN_S = 5.0
"""How long a process that a command left may take to end."""


class BenchmarkError(Exception):
    """A program that is measured failed."""


@dataclass(frozen=True)
class Cost:
    """What a process and its children took."""

    cpu_s: float
    """User and system time."""
    wall_s: float
    peak_mb: float
    """Peak resident memory of the largest process."""
    output: str


@dataclass(frozen=True)
class Result:
    """A measured quantity and that of a peer in the same run; ``ratio`` is compared with ``limit``."""

    what: str
    ours: float
    peer: str
    theirs: float
    unit: str = "s"
    noise: float | None = None
    """Spread of the peer's repetitions, (max − min) / median; None if it was measured once."""
    at_least: float | None = None
    """Smallest ``theirs / ours`` that is required."""
    at_most: float | None = None
    """Largest ``ours / theirs`` that is required."""
    at_most_value: float | None = None
    """Largest ``ours`` that is required, whatever the peer's."""
    limit_from: str = ""
    """The figures that ``at_most`` is the ratio of."""

    @property
    def ratio(self) -> float:
        """How many times the peer's value ours is; with ``at_least`` the reverse."""
        return self.theirs / self.ours if self.at_least is not None else self.ours / self.theirs

    @property
    def is_met(self) -> bool | None:
        """Whether the requirement is met; None without one."""
        checks = [
            None if self.at_least is None else self.ratio >= self.at_least,
            None if self.at_most is None else self.ratio <= self.at_most,
            None if self.at_most_value is None else self.ours <= self.at_most_value,
        ]
        checks = [check for check in checks if check is not None]
        return all(checks) if checks else None

    def cells(self) -> list[str]:
        """The row of the printed table."""
        required = [
            f"≥ {self.at_least:g} ×" if self.at_least is not None else "",
            f"≤ {self.at_most:.3g} ×" if self.at_most is not None else "",
            f"≤ {self.at_most_value:g} {self.unit}" if self.at_most_value is not None else "",
        ]
        return [
            self.what,
            quantity(self.ours, self.unit),
            self.peer,
            quantity(self.theirs, self.unit),
            f"{self.ratio:.3g} ×" + (" faster" if self.at_least is not None else ""),
            "–" if self.noise is None else f"{self.noise:.0%}",
            (", ".join(filter(None, required)) or "–")
            + (f" ({self.limit_from})" if self.limit_from else ""),
            {True: "yes", False: "**no**", None: ""}[self.is_met],
        ]


HEADINGS = ["what", "Queuevisor", "peer", "the peer's", "ratio", "noise", "required", "met"]


def quantity(value: float, unit: str) -> str:
    """A value with three significant digits and its unit."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def run(
    command: Sequence[str | Path], *, tree: Path = ROOT, accept: Sequence[int] = (0,), **more: str
) -> Cost:
    """Run a program with one Polars thread and return what it took.

    Parameters
    ----------
    command
        The program and its arguments.
    tree
        Folder whose ``pipeline`` a Python program imports.
    accept
        Exit codes that are no failure.
    more
        Variables of the environment.
    """
    environment = os.environ | {"PYTHONPATH": str(tree), "POLARS_MAX_THREADS": "1"} | more
    _adopt_orphans()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        child = subprocess.Popen(
            [str(word) for word in command], stdout=out, stderr=errors, stdin=subprocess.DEVNULL,
            env=environment, cwd=tree,
        )  # fmt: skip
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.monotonic() - began
        usages = [usage, *_usages_of_orphans()]
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        if child.returncode not in accept:
            errors.seek(0)
            text = errors.read().decode(errors="replace")[-1000:]
            raise BenchmarkError(
                f"{' '.join(map(str, command))}: exit code {child.returncode}: {text}"
            )
        output = out.read().decode(errors="replace")
    peak = max(usage.ru_maxrss for usage in usages)
    peak_mb = peak * (1 if sys.platform == "darwin" else 1024) / MB
    return Cost(sum(usage.ru_utime + usage.ru_stime for usage in usages), wall_s, peak_mb, output)


def _adopt_orphans() -> None:
    """Become the parent of processes whose parent ends first, such as the server that forks a report's kernels."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _usages_of_orphans() -> Iterator[resource.struct_rusage]:
    """What processes took that a command has left, as soon as they end."""
    end = time.monotonic() + ORPHAN_S
    with contextlib.suppress(ChildProcessError):  # there are none
        while time.monotonic() < end:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
            if pid:
                yield usage
            else:
                time.sleep(0.02)


def queuevisor(*arguments: str | Path, tree: Path = ROOT, accept: Sequence[int] = (0,)) -> Cost:
    """Run a command of Queuevisor."""
    return run([sys.executable, "-m", "pipeline.cli", *arguments], tree=tree, accept=accept)


def timed_script(script: str, *arguments: object, tree: Path = ROOT) -> Any:
    """The JSON that a script below ``benchmarks/`` prints; it imports ``pipeline`` from ``tree``."""
    path = ROOT / "benchmarks" / script
    return json.loads(run([sys.executable, path, *map(str, arguments)], tree=tree).output)


@dataclass(frozen=True)
class Pair:
    """Medians of ours and of a peer's, measured in turns, and the noise of the peer's."""

    ours: float
    theirs: float
    noise: float


def in_turns(ours: Callable[[], float], theirs: Callable[[], float], times: int) -> Pair:
    """Measure both ``times`` times in turns."""
    values = [(ours(), theirs()) for _ in range(times)]
    first, second = ([pair[k] for pair in values] for k in (0, 1))
    return Pair(statistics.median(first), statistics.median(second), spread(second))


def spread(values: Sequence[float]) -> float:
    """(max − min) / median."""
    return (max(values) - min(values)) / statistics.median(values)


@cache
def tree_before() -> Path | None:
    """A copy of ``pipeline`` at ``BEFORE``; None, told on standard error, where that commit or a library is missing."""
    folder = ROOT / "build" / f"pipeline-{BEFORE}"
    if not (folder / "pipeline").is_dir():
        parts = ("pipeline", "notebooks", "docs")  # a report has the glossary
        archive = ["git", "-C", str(ROOT), "archive", "--format=tar", BEFORE, *parts]
        folder.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(archive, capture_output=True)
        if packed.returncode:
            print(f"not compared with the code before: no commit {BEFORE}", file=sys.stderr)
            return None
        subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)
    try:
        run([sys.executable, "-c", "import pipeline.cli.app, pipeline.parse"], tree=folder)
    except BenchmarkError:
        needed = " ".join(BEFORE_NEEDS)
        print(f"not compared with the code before: pip install {needed}", file=sys.stderr)
        return None
    return folder


def machine() -> str:
    """This machine and the versions of what is measured, in one line."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
        memory = int(Path("/proc/meminfo").read_text().split()[1]) * 1024 / 1e9
    except (OSError, StopIteration):
        memory = 0.0
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("polars", "numpy"))
    load = os.getloadavg()[0]
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GB; {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {versions}; load average at the start {load:.1f}"
    )
