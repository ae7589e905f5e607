"""Paths of the project, and files written whole: under a temporary name, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The project that this package is installed from: data/ and notebooks/ are below it."""


def project_path(path: str | Path, start: Path | None = None) -> Path:
    """``path`` as it is if absolute, else below the nearest folder upwards of ``start`` that has it.

    ``start`` is the working folder by default; where nothing upwards has the path, the project's root counts.
    """
    path = Path(path)
    if path.is_absolute():
        return path
    start = Path.cwd() if start is None else start
    for folder in (start, *start.parents):
        if (folder / path).exists():
            return folder / path
    return ROOT / path


@contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """A new file beside ``path`` to write to, which takes its place when all went well.

    What has the name ``path`` is replaced, a link itself and not what it points to. The file gets the
    rights that the user's umask gives new files. Raises ``OSError``.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "a.csv"
    >>> with whole(out) as part:
    ...     _ = part.write_text("x")
    >>> out.read_text()
    'x'
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file (UTF-8, line ends as they stand) whole; see :func:`whole`."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="")
