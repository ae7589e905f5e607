"""Where things lie, and what the two servers are."""

from __future__ import annotations

import json
from pathlib import Path

STATE = Path("/var/lib/queuevisor/testbed")
"""Images, keys and what is running. One place for every machine, so that no path of a
developer's home stands in QEMU's command line, which the collectors record."""

TESTBED = Path(__file__).resolve().parent.parent
PROJECT = TESTBED.parent
ENVELOPES = TESTBED / "envelopes.json"
STUDY_PLAN = TESTBED / "study_plan.json"
COLLECTORS = PROJECT / "collectors"
RAW = PROJECT / "data" / "raw"

GUESTS = ("web", "db")
SSH_PORTS = {"web": 22022, "db": 22023}
SERVICE_PORTS = {"web": 28080, "db": 23306}
GUEST_SERVICE_PORTS = {"web": 80, "db": 3306}

DATABASE_ROWS = 1_000_000
DOCUMENTS = 40_000
DOCUMENT_BYTES = 16_384


class TestbedError(Exception):
    """Something a user can understand and mend; shown without a traceback."""


def read_json(path: Path) -> dict:
    """Read a JSON file, and say which one where it is wrong."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TestbedError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise TestbedError(f"{path}: {error}") from None


def envelopes(path: Path = ENVELOPES) -> dict:
    """The servers' envelopes, checked."""
    servers = read_json(path).get("servers", {})
    for name, server in servers.items():
        for key in ("title", "cpus", "cpu_quota", "cpu_period_us", "memory_bytes", "disk"):
            if key not in server:
                raise TestbedError(f"{path}: server {name!r} lacks {key!r}")
        if not 0 < server["cpu_quota"] <= len(server["cpus"]):
            raise TestbedError(
                f"{path}: server {name!r}: cpu_quota must be above 0 and at most "
                f"the number of cpus, not {server['cpu_quota']}"
            )
        if set(server["memory_bytes"]) != set(GUESTS):
            raise TestbedError(f"{path}: server {name!r}: memory_bytes must name {GUESTS}")
    if not servers:
        raise TestbedError(f"{path}: no servers")
    return servers


def envelope(name: str, path: Path = ENVELOPES) -> dict:
    """One server's envelope."""
    servers = envelopes(path)
    if name not in servers:
        raise TestbedError(f"no server {name!r}; there are: {', '.join(servers)}")
    return servers[name]
