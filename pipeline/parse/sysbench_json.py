"""Interval lines of sysbench as JSON: what its hook ``sysbench.report_json`` prints, an array of objects.

An object may stand on one line or on several, with messages of the program between objects. ``nan`` and ``inf``,
which are no JSON, are null.

Example:
    >>> lines = ["[", '  {"time": 2, "threads": 4,', '   "tps": 9.5, "qps": {"total": 190.0}, "latency": 1.5}', "]"]
    >>> body = pl.DataFrame({"line": [1, 2, 3, 4], "text": lines})
    >>> objects = json_objects(body)
    >>> objects.intervals.select("line", "at", "tps", "lat").rows(), objects.lines, objects.brackets
    ([(2, 2.0, 9.5, 1.5)], [2, 3], [1, 4])
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import polars as pl

FIELD = r'"[A-Za-z_]+"\s*:'
JSON_LINE = rf"^\s*(?:[\[\]{{}}],?|\}}\s*\]|,|[\[,]?\s*\{{?\s*{FIELD}.*)\s*$"
"""A line of an array of objects: a bracket or a field."""

_NO_NUMBER = re.compile(r":\s*[-+]?(?:nan|inf)\b", re.IGNORECASE)
COLUMNS = {
    "line": pl.Int64,
    "at": pl.Float64,
    "threads": pl.Int64,
    "tps": pl.Float64,
    "qps": pl.Float64,
    "lat": pl.Float64,
    "errors": pl.Float64,
}


@dataclass(frozen=True)
class JsonObjects:
    """One row of ``intervals`` per object; numbers of its lines, of lines between objects, of lines of no object."""

    intervals: pl.DataFrame
    lines: list[int]
    brackets: list[int]
    rejects: list[int]
    has_candidates: bool
    """Whether a line may belong to an object."""


def json_objects(body: pl.DataFrame) -> JsonObjects:
    """The objects in the lines of ``body`` (``line``, ``text``), of which other lines are none of them."""
    rows: list[dict] = []
    lines: list[int] = []
    brackets: list[int] = []
    rejects: list[int] = []
    pending: list[tuple[int, str]] = []
    depth = 0
    candidates = body.filter(pl.col("text").str.contains(JSON_LINE))
    for number, text in candidates.select("line", "text").rows():
        if not depth and "{" not in text:
            (brackets if '"' not in text else rejects).append(number)
            continue
        if depth and text.lstrip().startswith(
            "{"
        ):  # an object begins: the end of the one above is lost
            rejects += [number for number, _ in pending]
            pending, depth = [], 0
        pending.append((number, text))
        depth += text.count("{") - text.count("}")
        if depth <= 0:
            row = _interval(pending)
            (rejects if row is None else lines).extend(number for number, _ in pending)
            rows += [row] if row else []
            pending, depth = [], 0
    rejects += [number for number, _ in pending]
    if not rows:  # brackets in another text
        lines, brackets, rejects = [], [], []
    frame = pl.DataFrame(rows, schema=COLUMNS)
    return JsonObjects(frame, lines, brackets, rejects, candidates.height > 0)


def _interval(pending: list[tuple[int, str]]) -> dict | None:
    """The object as a row, None if it is not what the hook prints."""
    text = _NO_NUMBER.sub(": null", "\n".join(text for _, text in pending)).strip().strip("[],")
    try:
        fields = json.loads(text)
        queries = fields["qps"]
        values = {
            "at": fields["time"],
            "threads": fields["threads"],
            "tps": fields["tps"],
            "qps": queries["total"] if isinstance(queries, dict) else queries,
            "lat": fields["latency"],
            "errors": fields.get("errors"),
        }
        numbers = {key: None if value is None else float(value) for key, value in values.items()}
        threads = None if numbers["threads"] is None else int(numbers["threads"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    if threads is not None and not 0 <= threads < 2**63:
        return None
    return {"line": pending[0][0], **numbers, "threads": threads}
