"""Whether a worker of a cluster has the same code and sees the same files as the process that sends it tasks."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from pipeline.files import open_regular
from pipeline.workers import texts

PACKAGE = Path(__file__).parent.parent
LIBRARIES = ("polars", "numpy", "scipy", "altair", "vl-convert-python", "nbconvert", "papermill")
"""Libraries whose version decides the bytes of tables, ledgers or pages."""
CODE = "Queuevisor's code"


@cache
def versions() -> dict[str, str]:
    """What must be equal for equal bytes: Python, the libraries, and a hash of this package's code."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    own = {"Python": ".".join(map(str, sys.version_info[:3])), CODE: digest.hexdigest()[:12]}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            own[name] = metadata.version(name)
    return own


def other_versions(client: Mapping[str, str]) -> list[str]:
    """What differs from the ``versions`` of the client: one sentence each."""
    own = versions()
    return [
        texts.other_version(name, own.get(name), client.get(name))
        for name in sorted(own.keys() | client.keys())
        if own.get(name) != client.get(name)
    ]


def other_files(folders: Iterable[str], digests: Mapping[str, str]) -> list[str]:
    """What this process sees otherwise: one sentence per folder that does not exist, and per file with another content.

    ``digests``: path → ``file_digest`` of the client.
    """
    lost = [folder for folder in folders if not Path(folder).is_dir()]
    sentences = [texts.other_file(folder, texts.NO_FOLDER) for folder in lost]
    for path, digest in digests.items():
        if any(Path(path).is_relative_to(folder) for folder in lost):
            continue
        own = file_digest(path)
        if own != digest:
            reason = texts.OTHER_CONTENT if own else texts.NO_FILE
            sentences.append(texts.other_file(path, reason))
    return sentences


def file_digest(path: Path | str) -> str:
    """SHA-256 of a file; empty if it cannot be read."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@contextlib.contextmanager
def shared_token(folder: Path) -> Iterator[dict[str, str]]:
    """A file of random content in ``folder`` by which workers show that they see this folder and no other one.

    Yields its ``digests`` for ``other_files``; none where this process may not write there, as in a folder whose tables
    are only read. The file is removed at the end.
    """
    path = folder / f".token-{secrets.token_hex(8)}"
    try:
        path.write_bytes(secrets.token_bytes(32))
    except OSError:
        yield {}
        return
    try:
        yield {str(path): file_digest(path)}
    finally:
        path.unlink(missing_ok=True)
