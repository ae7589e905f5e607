"""Run a command of the system's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .paths import TestbedError


def run(*command: str | Path, quiet: bool = True, **options) -> None:
    """Run a command; on failure show the end of what it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        text=True,
        errors="replace",
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        stdin=subprocess.DEVNULL,
        **options,
    )
    if done.returncode:
        tail = "\n".join((done.stdout or "").splitlines()[-15:])
        raise TestbedError(f"{command[0]} failed ({done.returncode}):\n{tail}")
