"""The fingerprint of a run: a hash of its files and of the code that parses them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import polars as pl

from pipeline.ingest import texts
from pipeline.ingest.schema import IngestError
from pipeline.raw import Run, keeps_sql

CODE = ("parse", "raw", "ingest", "tables", "units.py", "redact.py", "kinds.py")
"""Packages and modules of ``pipeline`` that decide what the tables hold."""


@cache
def code_version(
    package: Path = Path(__file__).parent.parent, names: tuple[str, ...] = CODE
) -> str:
    """A hash of the code that makes the tables.

    Parameters
    ----------
    package : Path
        Folder of the code.
    names : tuple of str
        Packages and modules below it.

    Raises
    ------
    IngestError
        If one of ``names`` does not exist: a hash without it would not change when its code does.
    """
    digest = hashlib.sha256(pl.__version__.encode())
    for name in names:
        path = package / name
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            raise IngestError(texts.no_code(path))
        for file in files:
            inside = file.relative_to(package).as_posix()
            digest.update(b"\0" + inside.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def fingerprint(run: Run, hashes: Mapping[str, str]) -> str:
    """A hash of everything that the run's tables come from: its name, its files and the code.

    ``hashes``: SHA-256 of the files by name (``raw.hash_files``).
    """
    digest = hashlib.sha256(f"{code_version()}\0{run.id}\0{keeps_sql(run)}".encode())
    # Problems too: a file that is not read (`top.log.1`) is a problem, which is stored.
    digest.update("\0".join(run.problems()).encode())
    for name, content in hashes.items():
        digest.update(f"\0{name}\0{content}".encode())
    return digest.hexdigest()
