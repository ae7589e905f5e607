"""What a run's tables depend on: its files, and the code that reads them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import polars as pl

from pipeline import bundle


@cache
def code_version() -> str:
    """A hash of the code that makes the tables: another parser, another key."""
    here = Path(__file__).parent.parent
    rooms = [path for room in ("parse", "bundle", "ingest") for path in (here / room).glob("*.py")]
    files = [*sorted(rooms), *(here / name for name in ("tables.py", "units.py", "redact.py"))]
    digest = hashlib.sha256(pl.__version__.encode())
    for path in files:
        if path.is_file():
            digest.update(b"\0" + path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def key_of(run: bundle.Run) -> str:
    """A hash of all that the run's tables come from: its name, its files and the parsers' code."""
    digest = hashlib.sha256(f"{code_version()}\0{run.id}".encode())
    # Not only the files that are read: a file that is not (`top.log.1`) is a problem that is told.
    digest.update("\0".join(run.problems()).encode())
    for path in run.files():
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"\0{run.name_of(path)}\0{content}".encode())
    return digest.hexdigest()
