"""What a reader knows of the pieces of a log that it has read, as plain data that a file can hold.

Only objects of the classes ``CLASSES`` are made of such data, so a file of someone else runs no code. Texts that may
hold a secret are not kept: what depends on one must be read again.

Example:
    >>> decode(encode({"line": (1, "cut"), "pids": {7}}))
    {'line': (1, 'cut'), 'pids': {7}}
"""

from __future__ import annotations

import base64
import datetime as dt
import io
from importlib import import_module
from typing import Any

import numpy as np
import polars as pl

from pipeline.errors import Error
from pipeline.parse.redaction import without_secrets
from pipeline.redact import redact_line

CLASSES = (
    "block.Facts",
    "block.Refusal",
    "foreign_tops.ForeignTops",
    "iotop.Before",
    "iotop_snapshots.SnapshotTimes",
    "log.LogReader",
    "log.SnapshotsBefore",
    "sentinels.SentinelReader",
    "task_pieces.RoleFacts",
    "timestamps.ClockReadings",
    "timestamps.Times",
    "top_columns.ColumnHeader",
    "top_columns.Headers",
    "top_snapshots.SnapshotNumbers",
    "top_snapshots.SummaryFacts",
    "top_snapshots.TopProcesses",
    "top_survey.Survey",
    "top_threads.ThreadMode",
)
"""Modules of ``pipeline.parse`` and their classes: all that an object is needs to be in its ``__dict__``."""


class StateError(Error):
    """A value that is not kept, or data that are not those of a state."""


def encode(value: Any) -> Any:
    """``value`` as what JSON has.

    Frames are kept without secrets.

    Raises
    ------
    StateError
        If it, or a part of it, is of another class, or a text with a secret.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        if redact_line(value) != value:
            raise StateError("a text with a secret")
        return value
    if isinstance(value, list):
        return [encode(each) for each in value]
    kind, content = _content(value)
    return {"type": kind, "value": content}


def _content(value: Any) -> tuple[str, Any]:
    """Name of the type of a value, and what it holds."""
    if isinstance(value, tuple):
        return "tuple", [encode(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return "set", [encode(each) for each in sorted(value, key=repr)]
    if isinstance(value, dict):
        return "dict", [[encode(key), encode(each)] for key, each in value.items()]
    if isinstance(value, pl.DataFrame):
        file = io.BytesIO()
        frame = without_secrets(value).rechunk()  # so that equal frames have the same bytes
        frame.write_ipc_stream(file, compression="zstd")
        return "frame", base64.b64encode(file.getvalue()).decode()
    if isinstance(value, pl.Series):
        return "series", encode(value.to_frame())
    if isinstance(value, bytes):
        return "bytes", encode(value.decode("latin-1"))
    if isinstance(value, dt.datetime):
        return "datetime", value.isoformat()
    if isinstance(value, dt.date):
        return "date", value.isoformat()
    module = type(value).__module__.removeprefix("pipeline.parse.")
    name = f"{module}.{type(value).__qualname__}"
    if name not in CLASSES:
        raise StateError(f"an object of {name}")
    return name, encode(vars(value))


def decode(data: Any) -> Any:
    """The value of which ``encode`` made ``data``.

    Raises
    ------
    StateError
        If it did not make them.
    """
    if isinstance(data, list):
        return [decode(each) for each in data]
    if not isinstance(data, dict):
        return data
    try:
        return _value(data["type"], data["value"])
    except (LookupError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError) as error:
        raise StateError(str(error)) from error


def _value(kind: str, content: Any) -> Any:
    """The value of a type."""
    if kind in ("tuple", "set"):
        return (tuple if kind == "tuple" else set)(decode(content))
    if kind == "dict":
        return {decode(key): decode(each) for key, each in content}
    if kind == "frame":
        return pl.read_ipc_stream(io.BytesIO(base64.b64decode(content)))
    if kind == "series":
        return decode(content).to_series()
    if kind == "bytes":
        return content.encode("latin-1")
    if kind in ("datetime", "date"):
        return (dt.datetime if kind == "datetime" else dt.date).fromisoformat(content)
    if kind not in CLASSES:
        raise StateError(f"an object of {kind}")
    module, name = kind.split(".")
    instance = object.__new__(getattr(import_module(f"pipeline.parse.{module}"), name))
    instance.__dict__.update(decode(content))
    return instance
