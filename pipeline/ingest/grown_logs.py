"""How far the large logs of a run were read, so that a log that has only grown is read on from there.

::

    data/processed/.manifest/study=<study>/server=<server>/run=<run>/grown_logs.json

For each log of more than one piece, and with sentinels: what its reader knew in front of the last piece
(``parse.grown``), the counts up to there, and where the rows of these pieces are in the stored tables, from which they
are copied. The file counts only with the tables of the manifest whose key it has, and for the code that wrote it; its
first line is the SHA-256 of the rest. Without it, or with another one, logs are read from their beginning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.files import read_regular_file
from pipeline.parse.grown import ReadPart

NAME = "grown_logs.json"
FORMAT = "queuevisor-grown-logs/1"


@dataclass(frozen=True)
class GrownLog:
    """What was read of a log up to its last piece."""

    options: Mapping[str, Any]
    """What else its tables depend on."""
    size: int
    """Bytes of the file, with the last piece."""
    summary: Mapping[str, Any]
    """``Parsed.summary`` of the pieces, joined."""
    rows: Mapping[str, list[int]]
    """Table → number of rows above those of the log, and of the log's."""
    part: ReadPart


@dataclass(frozen=True)
class GrownLogs:
    """The logs of a run that can be read on, by name, and the files of its stored tables."""

    logs: Mapping[str, GrownLog] = field(default_factory=dict)
    tables: Mapping[str, Path] = field(default_factory=dict)

    def log(self, name: str, options: Mapping[str, Any]) -> GrownLog | None:
        """The log of that name, if it was read with the same options."""
        log = self.logs.get(name)
        return log if log is not None and log.options == options else None


def write_logs(path: Path, logs: Mapping[str, GrownLog], key: str, code: str) -> None:
    """Write the file; ``key``: of the run's manifest; ``code``: version of the parsers."""
    value = {"format": FORMAT, "key": key, "code": code}
    text = json.dumps(value | {"logs": {name: asdict(log) for name, log in logs.items()}})
    digest = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(f"{digest}\n{text}\n", encoding="utf-8", newline="")


def read_logs(path: Path, tables: Mapping[str, Path], key: str, code: str) -> GrownLogs:
    """The logs in the file, with the stored ``tables``; none if it is of another key or code, or damaged."""
    try:
        digest, text = read_regular_file(path).decode().split("\n", 1)
        text = text.removesuffix("\n")
        value = json.loads(text)
        is_same = (value["format"], value["key"], value["code"]) == (FORMAT, key, code)
        if not is_same or hashlib.sha256(text.encode()).hexdigest() != digest:
            return GrownLogs()
        logs = {
            name: GrownLog(**{**log, "part": ReadPart(**log["part"])})
            for name, log in value["logs"].items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return GrownLogs()
    return GrownLogs(logs, tables)
