"""The key of a page: a hash of all that it is made from. A page with the same key is not rendered again.

The key covers the notebook, its parameters, the code of this package, the versions of the installed libraries,
``study.json``, and the fingerprints of the runs that the page reads (``docs/reference/tables.md``: a run's fingerprint
is a hash of its files and of the parsers). The page's ``.json`` holds it, with the hashes of the files that were
written, so that a file that is missing or damaged is written again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.report import glossary

PACKAGE = Path(__file__).parent.parent


@cache
def code_version() -> str:
    """A hash of the code and templates of ``pipeline``, the glossary, and the versions of Python and libraries."""
    digest = hashlib.sha256(sys.version.encode())
    for path in [*sorted(PACKAGE.rglob("*")), glossary.SOURCE]:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"\0{os.path.relpath(path, PACKAGE)}\0".encode() + path.read_bytes())
    versions = sorted(f"{each.name} {each.version}" for each in metadata.distributions())
    digest.update("\0".join(versions).encode())
    return digest.hexdigest()


def page_key(
    notebook: Path, parameters: Mapping[str, Any], files: Iterable[Path], runs: Iterable[str]
) -> str:
    """The key of a page.

    Parameters
    ----------
    notebook
        Its file.
    parameters
        Of the notebook, without the folders of the data.
    files
        Further files that it reads.
    runs
        Each run that it reads, with its fingerprint.
    """
    digest = hashlib.sha256(code_version().encode())
    digest.update(json.dumps(dict(parameters), sort_keys=True, default=str).encode())
    for path in [notebook, *files]:
        digest.update(b"\0" + path.name.encode() + b"\0" + path.read_bytes())
    digest.update("\0".join(runs).encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file; None if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def read_entry(path: Path) -> dict[str, Any] | None:
    """The ``.json`` of a page; None if it is missing or no page's."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) and "notebook" in entry and "page" in entry else None


def unchanged_entry(path: Path, key: str) -> dict[str, Any] | None:
    """The entry of a page that need not be rendered: it is complete, has this key, and its files are as written."""
    entry = read_entry(path)
    if entry is None or entry.get("error") or entry.get("key") != key:
        return None
    files = entry.get("files")
    if not isinstance(files, dict) or not files:
        return None
    is_intact = all(file_hash(path.with_name(name)) == digest for name, digest in files.items())
    return entry if is_intact else None
