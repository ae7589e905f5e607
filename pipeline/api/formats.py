"""File formats of other programs, by the suffix of the file, and writing such a file whole or not at all."""

from __future__ import annotations

from pathlib import Path

from pipeline import files
from pipeline.errors import Error

FORMATS = {
    ".csv": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".parquet": "parquet",
    ".tex": "latex",
    ".xlsx": "xlsx",
}
"""Suffix of a file → format that ``export.write_frame`` gives it."""


class ExportError(Error):
    """A file that cannot be written, or a format that there is not."""


def format_of(path: Path | str, name: str | None = None) -> str:
    """Name of the format in which ``path`` is written.

    Parameters
    ----------
    path : path
    name : str, optional
        A format of ``FORMATS``; needed where the suffix is no key of ``FORMATS``, and must not contradict it.

    Raises
    ------
    ExportError
        If the suffix names no format, or another one than ``name``.

    Examples
    --------
    >>> format_of("ledger.xlsx"), format_of("ledger.dat", "csv")
    ('xlsx', 'csv')
    """
    path = Path(path)
    by_suffix = FORMATS.get(path.suffix.lower())
    if by_suffix is None and name is None:
        raise ExportError(f"{path}: unsupported suffix; use {', '.join(FORMATS)}")
    if by_suffix is not None and name not in (None, by_suffix):
        raise ExportError(f"{path}: suffix of {by_suffix}, but the format is {name}")
    return name or by_suffix or ""


def check_writable(path: Path | str) -> None:
    """Raise ``ExportError`` if no file can be written at ``path``, without changing a file there."""
    try:
        files.check_writable(path)
    except OSError as error:
        raise not_written(path, error) from None


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a file atomically; ``ExportError`` with one line where the operating system refuses."""
    try:
        files.check_writable(path)
        with files.write_atomically(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise not_written(path, error) from None


def not_written(path: Path | str, error: OSError) -> ExportError:
    """The error for a file that the operating system does not let write."""
    return ExportError(f"{path}: cannot be written: {error.strerror or error}")
