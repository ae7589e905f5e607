"""Stored results: observations and fits below the folder of the ingested tables, each with its key.

A result is used again only under the key that it was stored with: a hash of the code and of all that it is computed
from. A file that is damaged, cut or of another key is computed again and replaced, so that nothing piles up. Where
nothing can be written, every result is computed.

A file is a line of JSON (``FORMAT``, key, SHA-256 of the rest) and the result as JSON. Numbers are written with all
their digits: a result read back is the same, bit for bit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from pipeline.errors import Error
from pipeline.files import read_regular_file, write_atomically
from pipeline.ingest.fingerprint import code_version

try:
    import fcntl
except ImportError:  # without locks two processes may compute the same
    fcntl = None  # type: ignore[assignment]

FORMAT = "queuevisor-result/1"
CODE = ("equations.py", "network", "measure", "ledger", "demands", "model")
"""Packages and modules of ``pipeline`` that decide a result, besides those that decide the tables."""


class Busy(Error):  # noqa: N818 - no failure
    """Another process computes the result."""


def result_key(*inputs: Any) -> str:
    """The key of a result: a hash of its inputs (JSON), of the code and of the libraries that compute it."""
    package = Path(__file__).parent.parent
    versions = code_version(package, CODE), np.__version__, scipy.__version__
    text = json.dumps([FORMAT, versions, inputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def stored_or_computed(
    path: Path, key: str, compute: Callable[[], Any], *, wait: bool = True
) -> Any:
    """A result as JSON: read if it is stored under this key, else computed and stored.

    Parameters
    ----------
    path
        Its file.
    key
        Of :func:`result_key`.
    compute
        Returns the result, as of :func:`encode`.
    wait
        Whether to wait where another process computes it.

    Returns
    -------
    object
        What a reading of the file gives, also where it was computed.

    Raises
    ------
    Busy
        Another process computes it, and ``wait`` is false.
    """
    text = _read(path, key)
    if text is None:
        with _lock(path, wait):
            text = _read(path, key)  # another process may have computed it meanwhile
            if text is None:
                text = json.dumps(compute()).encode()
                with contextlib.suppress(OSError):
                    _write(path, key, text)
    return json.loads(text)


def _read(path: Path, key: str) -> bytes | None:
    """The text that is stored under the key; None if there is none, or another than was written."""
    try:
        head, _, text = read_regular_file(path).partition(b"\n")
    except OSError:
        return None
    return text if head == _head(key, text) else None


def _write(path: Path, key: str, text: bytes) -> None:
    with write_atomically(path) as part:
        part.write_bytes(_head(key, text) + b"\n" + text)


def _head(key: str, text: bytes) -> bytes:
    digest = hashlib.sha256(text).hexdigest()
    return json.dumps({"format": FORMAT, "key": key, "sha256": digest}).encode()


@contextlib.contextmanager
def _lock(path: Path, wait: bool) -> Iterator[None]:
    """Lock the results of the folder of ``path``, which is created; without a lock where that is not possible."""
    descriptor = None
    try:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(path.parent, os.O_RDONLY)
        if descriptor is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise Busy from None
            except OSError:  # a file system without locks
                pass
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


# -- dataclasses as JSON -----------------------------------------------------------------------------------


def encode(value: Any) -> Any:
    """A dataclass of numbers, texts, arrays of floats, tuples and dictionaries as JSON; :func:`decode` reverses it."""
    if dataclasses.is_dataclass(value):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        if value.dtype != np.float64:
            raise TypeError(f"an array of {value.dtype}")
        return value.tolist()
    if isinstance(value, dict):
        return {name: encode(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [encode(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"no JSON of a {type(value).__name__}")


def digest_of(value: Any) -> str:
    """A hash of a value that :func:`encode` accepts."""
    return hashlib.sha256(json.dumps(encode(value)).encode()).hexdigest()


def decode(kind: Any, value: Any) -> Any:
    """The value of the type ``kind`` that :func:`encode` gave this JSON."""
    if dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: decode(hints[name], each) for name, each in value.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):  # of a type and None
        return None if value is None else decode(arguments[0], value)
    if origin is np.ndarray:
        return np.array(value, np.float64)
    if origin is dict:
        return {name: decode(arguments[1], each) for name, each in value.items()}
    if origin is tuple:
        return tuple(decode(arguments[0], each) for each in value)
    return value


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
