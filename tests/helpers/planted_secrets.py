"""A search for planted secrets in everything below a folder, compressed files and tables too."""

import gzip
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

SECRETS = tuple(f"Zq{number:02d}pLanted9" for number in range(1, 13))
"""Twelve texts that occur nowhere else."""


def read_parts(path: Path) -> Iterator[bytes]:
    """The content of a file as it is, and what a program that reads it sees."""
    yield path.read_bytes()
    if path.suffix == ".gz":
        yield gzip.decompress(path.read_bytes())
    elif path.suffix == ".zst":
        yield subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout
    elif path.suffix == ".parquet":
        yield pl.read_parquet(path, hive_partitioning=False).write_ndjson().encode()
    elif path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            yield from map(book.read, book.namelist())


def find_secrets(*folders: Path, secrets: tuple[str, ...] = SECRETS) -> list[str]:
    """``file: secret`` for each of ``secrets`` in a file's name or content."""
    hits = set()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            content = [path.name.encode(), *(read_parts(path) if path.is_file() else ())]
            hits |= {f"{path}: {s}" for s in secrets if any(s.encode() in part for part in content)}
    return sorted(hits)
