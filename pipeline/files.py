"""Paths of the project, reading of regular files only, and atomic writes: under a temporary name, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parents[1]
"""Folder of the project that this package is installed from, with data/ and notebooks/."""

MAX_JSON_BYTES = 64 << 20
"""Largest manifest, entry or model that is read: a larger file is none of ours, and would fill memory. A network of a
million demands has about half of that."""

MAX_EXPANDED_BYTES = 64 * 10**9
"""Longest text of a log that is read, after decompression (``--max-expanded``)."""

OWN_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
"""Paths of files that the process was started with: ``<(zcat top.log.gz)`` of a shell is one."""


def open_regular(path: Path | str) -> BinaryIO:
    """Open a regular file for reading.

    Anything else is refused, as a pipe may never end and a device has no end. A pipe that the process was started with
    (``OWN_DESCRIPTORS``) is accepted.

    Parameters
    ----------
    path : path

    Returns
    -------
    BinaryIO

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file. ``strerror`` is one line for people.
    ValueError
        If the path contains a NUL.

    Examples
    --------
    >>> open_regular("/dev/null")
    Traceback (most recent call last):
    OSError: [Errno 22] not a regular file: '/dev/null'
    """
    # without O_NONBLOCK the opening of a FIFO waits for its writer
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise OSError(errno.EINVAL, "not a regular file", str(path)) from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if stat.S_ISFIFO(mode) and str(path).startswith(OWN_DESCRIPTORS):
            os.set_blocking(descriptor, True)
        elif not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular_file(path: Path | str, max_bytes: int = MAX_JSON_BYTES) -> bytes:
    """The bytes of a small regular file, or of the one that a link leads to.

    Raises
    ------
    OSError
        As of :func:`open_regular`, and for a larger file (EFBIG).
    ValueError
        If the path contains a NUL.
    """
    with open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        size = f"{max_bytes / 2**20:g} MiB" if max_bytes >= 2**20 else f"{max_bytes} bytes"
        raise OSError(errno.EFBIG, f"larger than {size}", str(path))
    return data


def project_path(path: str | Path, start: Path | None = None) -> Path:
    """Find a path of the project, in a notebook too.

    Parameters
    ----------
    path : path
        An absolute path is returned unchanged.
    start : Path, optional
        Folder to search from (default: the working folder).

    Returns
    -------
    Path
        ``path`` below ``start`` or its nearest parent that has it, else below ROOT.
    """
    path = Path(path)
    if path.is_absolute():
        return path
    start = Path.cwd() if start is None else start
    for folder in (start, *start.parents):
        if (folder / path).exists():
            return folder / path
    return ROOT / path


def check_writable(path: Path | str) -> None:
    """Raise the ``OSError`` that writing a file at ``path`` would, without a change to a file that exists.

    The folder must exist and take a new file; what is at ``path`` must be a regular file, or a link, which
    ``write_atomically`` replaces.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    # permission bits do not say it: a file system may be read-only, and root passes them
    with tempfile.TemporaryFile(dir=path.parent):
        pass


@contextmanager
def write_atomically(path: Path | str, mode: int | None = None) -> Iterator[Path]:
    """A temporary file next to ``path`` to write to, renamed to ``path`` if no exception is raised.

    A link at ``path`` is replaced, not its target. The file gets ``mode``, else that of new files under the user's
    umask. Raises ``OSError``.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "a.csv"
    >>> with write_atomically(out) as part:
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
        part.chmod(0o666 & ~umask if mode is None else mode)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def create_folder(path: Path | str) -> Iterator[Path]:
    """A hidden folder to write to, which becomes the folder ``path`` if no exception is raised; else it is removed.

    ``path`` must not exist, or be an empty folder, which is kept: it may be a link or a file system of its own. Raises
    ``OSError``.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "study"
    >>> with create_folder(out) as part:
    ...     _ = (part / "a.csv").write_text("x")
    >>> [file.name for file in out.iterdir()]
    ['a.csv']
    """
    path = Path(path)
    is_new = not path.exists()
    if is_new:
        path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=path.parent if is_new else path, prefix=f".{path.name}."))
    try:
        yield part
        if is_new:
            umask = os.umask(0)
            os.umask(umask)
            part.chmod(0o777 & ~umask)
            part.rename(path)
        else:
            for entry in sorted(part.iterdir()):
                entry.rename(path / entry.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path | str, text: str, mode: int | None = None) -> None:
    """Write a text file atomically (UTF-8, line ends unchanged); see :func:`write_atomically`."""
    with write_atomically(path, mode) as part:
        part.write_text(text, encoding="utf-8", newline="")
