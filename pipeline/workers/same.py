"""Whether a worker of a cluster has the same code and sees the same files as the process that sends it tasks."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from importlib import metadata
from pathlib import Path

from pipeline.storage import is_url, location_digest, open_mirror
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

    ``digests``: location → ``location_digest`` of the client.
    """
    lost = [folder for folder in folders if not Path(folder).is_dir()]
    sentences = [texts.other_file(folder, texts.NO_FOLDER) for folder in lost]
    for path, digest in digests.items():
        if any(path.startswith(f"{folder}/") for folder in lost):
            continue
        own = location_digest(path)
        if own != digest:
            reason = texts.OTHER_CONTENT if own else texts.NO_FILE
            sentences.append(texts.other_file(path, reason))
    return sentences


@contextlib.contextmanager
def shared_token(location: str) -> Iterator[dict[str, str]]:
    """A file of random content by which workers show that they see this folder and no other one.

    Yields its ``digests`` for ``other_files``; none where this process may not write there, as in a folder whose tables
    are only read. The file is removed at the end.
    """
    name = f".token-{secrets.token_hex(8)}"
    content = secrets.token_bytes(32)
    digests = {f"{location}/{name}": hashlib.sha256(content).hexdigest()}
    if is_url(location):
        mirror = open_mirror(location)
        mirror.write(name, content)
        try:
            yield digests
        finally:
            mirror.remove([name])
        return
    path = Path(location, name)
    try:
        path.write_bytes(content)
    except OSError:
        yield {}
        return
    try:
        yield digests
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def same_folders(studies: Iterable[str], processed: str) -> Iterator[Callable[[], list[str]]]:
    """A check for the workers of a cluster: ``studies`` and ``processed`` (locations) are those of this process."""
    chosen = sorted(set(studies))
    folders = dict.fromkeys([*(study.rpartition("/")[0] for study in chosen), processed])
    manifests = {path: location_digest(path) for study in chosen if (path := f"{study}/study.json")}
    with shared_token(processed) as token:
        yield partial(
            other_files,
            [folder for folder in folders if not is_url(folder)],
            {path: digest for path, digest in manifests.items() if digest} | token,
        )
