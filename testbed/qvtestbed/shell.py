"""Run a program of the system."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import TestbedError


def run_command(*command: str | Path, **options) -> None:
    """Run a command; if it fails, raise a TestbedError with the end of its output."""
    process = subprocess.run(
        [str(argument) for argument in command],
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        **options,
    )
    if process.returncode:
        tail = "\n".join(process.stdout.splitlines()[-15:])
        raise TestbedError(f"{command[0]} failed (exit code {process.returncode}):\n{tail}")
