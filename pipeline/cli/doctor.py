"""``queuevisor doctor``: programs and packages that this machine lacks, and the command to install them."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

PROGRAMS = {
    # program: (Debian package, what it is for)
    "make": ("make", "the commands of the README"),
    "chromium": ("chromium", "tests that open pages in a browser"),
    "top": ("procps", "collectors"),
    "iotop": ("iotop", "collectors"),
    "httperf": ("httperf", "load on a web server"),
    "sysbench": ("sysbench", "load on a database server"),
    "ssh": ("openssh-client", "recording an experiment from the client's side"),
    "qemu-system-x86_64": ("qemu-system-x86", "testbed"),
    "mmdebstrap": ("mmdebstrap", "testbed"),
    "mke2fs": ("e2fsprogs", "testbed"),
    "zstd": ("zstd", "smaller raw logs"),
}
APT = "apt install "
NEEDED = {"make"}
"""Everything else is for recording or testing: reports of recorded studies need none of it."""


@dataclass(frozen=True)
class Finding:
    """One requirement and its state on this machine."""

    what: str
    state: str
    is_fine: bool
    needed_for: str
    fix: str = ""


def findings() -> list[Finding]:
    """Every requirement, in a stable order."""
    return [_python(), *_packages(), *_programs(), _delay_accounting(), _disk()]


def _python() -> Finding:
    import platform

    version = platform.python_version()
    return Finding(
        "Python",
        version,
        sys.version_info >= (3, 11),
        "everything",
        f"{APT}python3 python3-venv",
    )


def _packages() -> Iterator[Finding]:
    import importlib.metadata

    try:
        wanted = importlib.metadata.requires("queuevisor") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding("queuevisor", "not installed", False, "everything", "make report")
        return
    missing = []
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name is None or "extra ==" in requirement:
            continue
        try:
            importlib.metadata.version(name[0])
        except importlib.metadata.PackageNotFoundError:
            missing.append(name[0])
    state = f"missing: {', '.join(missing)}" if missing else "installed"
    yield Finding(
        "Python packages", state, not missing, "everything", "rm -f .venv/.ready && make report"
    )


def _programs() -> Iterator[Finding]:
    # sbin is not on everybody's PATH, and holds iotop and mke2fs
    folders = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    for program, (package, purpose) in PROGRAMS.items():
        names = ("iotop", "iotop-c") if program == "iotop" else (program,)
        is_there = any(shutil.which(name, path=folders) for name in names)
        state = "found" if is_there else "missing"
        yield Finding(program, state, is_there, purpose, f"{APT}{package}")


def _delay_accounting() -> Finding:
    switch = Path("/proc/sys/kernel/task_delayacct")
    value = switch.read_text().strip() if switch.exists() else None
    state = {"1": "on", "0": "off", None: "this kernel has no switch"}.get(value, value or "")
    # off is the default since Linux 5.14; the collectors switch it on and put it back
    return Finding("delay accounting", state, True, "iotop's IO> column (collectors switch it on)")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    return Finding(
        "free disk",
        f"{free / 2**30:.1f} GiB",
        free > 2**30,
        "tables and reports",
        "free some space",
    )


def doctor() -> None:
    """List what this machine lacks and the command to install it.

    Exit code 0 if reports can be made here, 2 if not; programs that only recording or tests need are listed.

    Example: queuevisor doctor
    """
    import polars as pl

    from pipeline.cli.tabulate import show

    requirements = findings()
    show(
        pl.DataFrame(
            {
                "what": [f.what for f in requirements],
                "found": [f.state for f in requirements],
                "": ["ok" if f.is_fine else "MISSING" for f in requirements],
                "needed for": [f.needed_for for f in requirements],
            }
        )
    )
    missing = [f for f in requirements if not f.is_fine]
    packages: list[str] = []
    for finding in missing:
        if finding.fix.startswith(APT):
            packages += finding.fix.removeprefix(APT).split()
        elif finding.fix:
            typer.echo(f"{finding.what}: {finding.fix}")
    if packages:
        typer.echo(f"As root: {APT}{' '.join(dict.fromkeys(packages))}")
    if not missing:
        typer.echo("Nothing is missing.")
    if any(f.needed_for == "everything" or f.what in NEEDED for f in missing):
        raise typer.Exit(2)
