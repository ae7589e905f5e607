"""What a line of top's log is: a row, column names, or a line above the table."""

from __future__ import annotations

import polars as pl

from pipeline.parse import texts
from pipeline.parse.expressions import first_of
from pipeline.parse.log import Log
from pipeline.parse.top_columns import ColumnHeader, has_names
from pipeline.parse.top_languages import LINE_LABELS

CLOCK_LINE = r"^\s*\S+(?: \S+)? - [0-9][0-9]:[0-9][0-9]:[0-9][0-9] up\s"

WINDOW_NAMES = r"^[1-4]\s[^0-9]*\bPID\b[^0-9]*$"
"""Column names after the number of their window (``A``)."""


def classify(log: Log) -> pl.DataFrame:
    """The body with the type (``what``) of each line: row, names, one of ``SUMMARY_KINDS``, or null."""
    body = log.body()
    text = pl.col("text")
    is_row = text.str.contains(r"^\s*[0-9]+\s") & pl.col("sentinel").is_null()
    body = body.with_columns(is_row=is_row & ~text.str.contains(WINDOW_NAMES))
    unnumbered = body.filter(~pl.col("is_row")).select("line", "text")
    label = text.str.extract(r"^\s*([^:]*?)\s*:").str.replace_all(r"\s+", " ")
    what = first_of(
        (text.str.contains(CLOCK_LINE), "clock"),
        (pl.lit(True), label.replace_strict(LINE_LABELS, default=None, return_dtype=pl.String)),
        (label.str.contains(r"^%?(?:C[pP][uUpPeE]|Прц) ?[0-9]+$"), "cpu-each"),
        (has_names(text), "names"),
    )
    types = unnumbered.select("text").unique().with_columns(what=what)
    unnumbered = unnumbered.join(types, on="text", how="left", maintain_order="left").drop("text")
    body = body.join(unnumbered, on="line", how="left", maintain_order="left")
    return body.with_columns(what=pl.when("is_row").then(pl.lit("row")).otherwise("what"))


def without_bad_headers(lines: pl.DataFrame, names: dict[str, ColumnHeader]) -> pl.DataFrame:
    """``lines`` in which lines of names with a problem have no type, with the ``problem``."""
    problems = {text: form.problem for text, form in names.items() if form.problem}
    problem = pl.col("text").replace_strict(problems, default=None, return_dtype=pl.String)
    is_bad = pl.lit(bool(problems)) & (pl.col("what") == "names")
    return lines.with_columns(problem=pl.when(is_bad).then(problem)).with_columns(
        what=pl.when(pl.col("problem").is_null()).then("what")
    )


def with_rows_of_other_headers(
    lines: pl.DataFrame, names: dict[str, ColumnHeader], title_before: str | None
) -> pl.DataFrame:
    """``lines`` in which lines under names that do not start with PID are rows too.

    ``title_before``: the line of names in force above the first line.
    """
    others = [text for text, form in names.items() if not form.problem and form.columns[0] != "PID"]
    if not others:
        return lines
    title = pl.when(pl.col("what") == "names").then("text").forward_fill()
    is_nothing = pl.all_horizontal(pl.col("what", "problem", "sentinel").is_null())
    is_row = is_nothing & title.fill_null(pl.lit(title_before, pl.String)).is_in(others).fill_null(
        False
    )
    return lines.with_columns(what=pl.when(is_row).then(pl.lit("row")).otherwise("what"))


def reject_unknown(lines: pl.DataFrame, log: Log) -> pl.DataFrame:
    """Lines that are not output of top, with the reason."""
    reason = first_of(
        (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
        (log.is_unterminated_line, texts.TRUNCATED),
        (pl.lit(True), pl.col("problem")),
        otherwise=texts.NOT_TOP_LINE,
    )
    return lines.filter(pl.col("what").is_null()).select("line", reason=reason)
