"""Tables of logs without secrets, and without the values in statements and requests (:mod:`pipeline.redact`)."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from pipeline import redact

SAMPLE = 1000
"""Texts of a column by which it is decided whether most differ."""
TEXT_COLUMNS = ("command", "command_line", "target", "referer", "user_agent", "text")
"""Columns with free text of the logs: command lines, requests, rejected lines."""


def without_secrets(frame: pl.DataFrame) -> pl.DataFrame:
    """A table, or rejected lines, without secrets: older recordings and other tools do not remove them."""
    return _with_changed(frame, _redact)


def _with_changed(frame: pl.DataFrame, change: Callable[[pl.Series], pl.Series]) -> pl.DataFrame:
    """``frame`` with its columns of free text changed."""
    columns = [frame[name] for name in TEXT_COLUMNS if name in frame.columns]
    changed = [column for before in columns if (column := change(before)) is not before]
    return frame.with_columns(changed) if changed else frame


def _redact(column: pl.Series) -> pl.Series:
    sample = column.head(SAMPLE)
    is_varied = 2 * sample.n_unique() > SAMPLE
    distinct = column if is_varied else column.unique()  # slower than the search if most differ
    suspects = distinct.filter(distinct.str.contains(redact.SUSPECT)).unique()
    if suspects.is_empty():
        return column
    redacted = pl.Series(map(redact.redact_line, suspects), dtype=pl.String)
    is_changed = redacted != suspects
    if not is_changed.any():
        return column
    return column.replace(suspects.filter(is_changed), redacted.filter(is_changed))


def without_values(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Statements and queries with ``?`` for their values, in a table of a log of ``kind``, or its rejected lines.

    Examples
    --------
    >>> frame = pl.DataFrame({"command": ["Query"], "target": ["SELECT c FROM sbtest1 WHERE id=5025"]})
    >>> without_values(frame, "general")["target"].item()
    'SELECT c FROM sbtest1 WHERE id=?'
    """
    if kind == "access":
        return _with_changed(frame, _without_queries)
    if kind == "general" and "target" in frame.columns:
        return frame.with_columns(target=_statement_shapes(frame))
    if kind == "general" and "text" in frame.columns:
        return frame.with_columns(_replace_each(frame["text"], _line_shape))
    return frame


def _without_queries(column: pl.Series) -> pl.Series:
    """Texts with a query, which are those with a ``?``, without its values."""
    queries = column.filter(column.str.contains("?", literal=True)).unique()
    return column if queries.is_empty() else _replace_each(column, redact.query_shape, queries)


def _line_shape(line: str) -> str:
    """A rejected line of a general log: the lines above it are not there, so it may be a part of a literal."""
    return redact.StatementFilter().line(line)


def _statement_shapes(frame: pl.DataFrame) -> pl.Series:
    """Column ``target`` of a general log; arguments of other commands than statements are kept."""
    target = pl.col("target")
    is_name = pl.col("command").str.contains(f"^{redact.NAMES.pattern}").fill_null(False)
    is_simple = target.str.contains(redact.SIMPLE_STATEMENT)
    shape = pl.when(is_simple).then(target.str.replace_all(redact.SIMPLE_LITERALS, "?"))
    is_other = ~is_name & ~is_simple.fill_null(True)
    frame = frame.select(
        target=pl.when(is_name).then(target).otherwise(shape.otherwise(target)), is_other=is_other
    )
    shapes = _replace_each(
        frame.filter("is_other")["target"], lambda text: redact.statement_shape(text)[0]
    )
    return frame["target"].scatter(frame["is_other"].arg_true(), shapes)


def _replace_each(
    column: pl.Series, change: Callable[[str], str], values: pl.Series | None = None
) -> pl.Series:
    values = column.drop_nulls().unique() if values is None else values
    return column.replace(values, pl.Series(map(change, values), dtype=pl.String))
