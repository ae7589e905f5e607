"""Writing a table that comes in pieces as one Parquet file, with memory that does not grow with the table."""

from __future__ import annotations

import hashlib
import io
import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import polars as pl
from polars.io.plugins import register_io_source

ROW_GROUP_ROWS = 1 << 17
MAX_WAITING = 2
"""Pieces that wait for being written."""


class TableWriter:
    """Writes the pieces of a table to a Parquet file.

    The bytes are those of ``write_parquet`` of the whole table with ``row_group_size=ROW_GROUP_ROWS``, wherever it is
    cut into pieces.

    Parameters
    ----------
    path : path
        Created or overwritten.
    schema : polars.Schema
        Of every piece.

    Attributes
    ----------
    rows, bytes : int
        What was written, after ``close``.
    sha256 : str
        Of the file, 64 hexadecimal digits, after ``close``.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.parquet"
    >>> with TableWriter(path, pl.Schema({"n": pl.Int64})) as writer:
    ...     writer.write(pl.DataFrame({"n": [1, 2]}))
    ...     writer.write(pl.DataFrame({"n": [3]}))
    >>> pl.read_parquet(path)["n"].to_list(), writer.rows
    ([1, 2, 3], 3)
    """

    def __init__(self, path: Path | str, schema: pl.Schema):
        self.rows = self.bytes = 0
        self.sha256 = ""
        self._schema = schema
        self._queue: queue.Queue[pl.DataFrame | None] = queue.Queue(MAX_WAITING)
        self._error: BaseException | None = None
        self._is_aborted = False
        self._file = _HashedFile(Path(path).open("wb"))  # noqa: SIM115 - closed by close and abort
        self._thread = threading.Thread(target=self._sink, daemon=True)
        self._thread.start()

    def write(self, frame: pl.DataFrame) -> None:
        """Add a piece; raises ``OSError`` if the file could not be written."""
        self.rows += frame.height
        self._put(frame)

    def close(self) -> None:
        """Write the rest and wait until the file is on the disk; raises ``OSError`` if it could not be written."""
        self._put(None)
        self._thread.join()
        self._raise_error()
        self._file.sync()
        self._file.close()
        self.bytes, self.sha256 = self._file.bytes, self._file.digest.hexdigest()

    def abort(self) -> None:
        """End the thread without a complete file."""
        self._is_aborted = True
        while self._thread.is_alive():
            try:
                self._queue.put(None, timeout=0.1)
            except queue.Full:
                continue
            self._thread.join(timeout=0.1)
        self._file.close()

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _put(self, frame: pl.DataFrame | None) -> None:
        while self._thread.is_alive():
            try:
                self._queue.put(frame, timeout=0.5)
                break
            except queue.Full:
                continue
        self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            self._file.close()
            # Polars reports a full disk as a fault of the file
            raise self._file.error or self._error

    def _sink(self) -> None:
        def frames(
            with_columns: list[str] | None,
            predicate: pl.Expr | None,
            n_rows: int | None,
            batch_size: int | None,
        ) -> Iterator[pl.DataFrame]:
            while not self._is_aborted and (frame := self._queue.get()) is not None:
                yield frame

        try:
            register_io_source(frames, schema=self._schema).sink_parquet(
                self._file, compression="zstd", row_group_size=ROW_GROUP_ROWS
            )
        except BaseException as error:
            self._error = error


class _HashedFile(io.RawIOBase):
    """A file whose bytes are counted and hashed as they are written."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.bytes = 0
        self.digest = hashlib.sha256()
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            count = self.file.write(data)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(data)
        self.bytes += count
        return count

    def sync(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        self.file.close()
