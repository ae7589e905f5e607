"""Run a program that obeys permission bits, also where the tests run as root."""

import os
import shutil
import subprocess

import pytest

DROPPED = "-dac_override,-dac_read_search"


def run_without_rights(command: list[str]) -> subprocess.CompletedProcess:
    """Run a command whose user may not pass over permission bits; the test is skipped where that cannot be had."""
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is missing: apt install util-linux")
        command = ["setpriv", "--bounding-set", DROPPED, "--inh-caps", DROPPED, *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)
