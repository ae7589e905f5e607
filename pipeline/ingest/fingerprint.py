"""What a run's tables depend on: its files, and the code that reads them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import polars as pl

from pipeline.ingest.schema import IngestError
from pipeline.raw import Run

CODE = ("parse", "raw", "ingest", "tables", "units.py", "redact.py")
"""Packages and modules of ``pipeline`` that decide what the tables hold."""


@cache
def code_version(
    package: Path = Path(__file__).parent.parent, names: tuple[str, ...] = CODE
) -> str:
    """A hash of the code that makes the tables: another parser, another key.

    ``IngestError`` if one of ``names`` is not in ``package``: a hash without it would let old tables pass for new.
    """
    digest = hashlib.sha256(pl.__version__.encode())
    for name in names:
        here = package / name
        files = sorted(here.rglob("*.py")) if here.is_dir() else [here]
        if not files or not all(path.is_file() for path in files):
            raise IngestError(
                f"{here}: no Python code here; pipeline/ingest/fingerprint.py lists it as code that makes the tables"
            )
        for path in files:
            inside = path.relative_to(package).as_posix()
            digest.update(b"\0" + inside.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def fingerprint(run: Run) -> str:
    """A hash of all that the run's tables come from: its name, its files and the parsers' code."""
    digest = hashlib.sha256(f"{code_version()}\0{run.id}".encode())
    # Not only the files that are read: a file that is not (`top.log.1`) is a problem that is told.
    digest.update("\0".join(run.problems()).encode())
    for path in run.files():
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"\0{run.name_of(path)}\0{content}".encode())
    return digest.hexdigest()
