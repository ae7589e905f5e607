"""Folders and files of the testbed."""

from __future__ import annotations

import json
from pathlib import Path

from . import TestbedError

STATE = Path("/var/lib/queuevisor/testbed")
"""Images, keys and the list of what is running. The same folder on every machine, because QEMU's command line,
which the collectors record, must not name a user's home."""

TESTBED = Path(__file__).resolve().parent.parent
PROJECT = TESTBED.parent
SERVERS = TESTBED / "servers.json"
STUDY_PLAN = TESTBED / "study_plan.json"
COLLECTORS = PROJECT / "collectors"
RAW = PROJECT / "data" / "raw"


def read_json(path: Path) -> dict:
    """Read a JSON file.

    Raises
    ------
    TestbedError
        If the file cannot be read or is not JSON; the message names the file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TestbedError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise TestbedError(f"{path}: {error}") from None
