"""Output of ``vmstat DELAY`` (procps): the template of docs/how-to/add-a-parser.md.

Read are the default columns and those of ``-a`` (active memory), with or without ``gu`` (guest time), at any
column width (``-w``). ``-t`` (a clock), ``-d`` and ``-s`` are other forms and refused.

Columns and units: the schema in ``table.py``. Memory is taken for KiB, the default of procps; ``-S`` leaves no
trace in the output. vmstat prints no time: the collectors' ``#T`` lines give it.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> names = "r b swpd free buff cache si so bi bo in cs us sy id wa st"
    >>> parsed = parse(log_from_text(f"{names}\\n1 0 0 5 6 7 0 0 305 1075 735 99 65 15 20 0 0\\n", "vmstat.log"))
    >>> parsed.tables["vmstat"].select("runnable", "free_bytes", "cpu_user_percent", "is_interval").rows()
    [(1, 5120, 65.0, False)]
"""

from __future__ import annotations

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.log import Log, SnapshotsBefore, with_snapshot_after
from pipeline.parse.parsed import NO_LINES, Parsed, select_table_columns, split_rejects, to_parsed

KIB = 1024
COLUMNS = {
    "r": ("runnable", 1),
    "b": ("blocked", 1),
    "swpd": ("swap_used_bytes", KIB),
    "free": ("free_bytes", KIB),
    "buff": ("buffer_bytes", KIB),
    "cache": ("cache_bytes", KIB),
    "inact": ("inactive_bytes", KIB),
    "active": ("active_bytes", KIB),
    "si": ("swap_in_bytes_per_s", KIB),
    "so": ("swap_out_bytes_per_s", KIB),
    "bi": ("read_bytes_per_s", KIB),
    "bo": ("write_bytes_per_s", KIB),
    "in": ("interrupts_per_s", 1),
    "cs": ("context_switches_per_s", 1),
    "us": ("cpu_user_percent", 1),
    "sy": ("cpu_system_percent", 1),
    "id": ("cpu_idle_percent", 1),
    "wa": ("cpu_iowait_percent", 1),
    "st": ("cpu_steal_percent", 1),
    "gu": ("cpu_guest_percent", 1),
}
"""vmstat's name of a column, the table's name, and the factor to the table's unit."""

FORMS = tuple(
    f"r b swpd free {memory} si so bi bo in cs us sy id wa st{guest}"
    for memory in ("buff cache", "inact active")
    for guest in ("", " gu")
)
"""The lines of column names that are read, with single spaces."""

ROW_WITHOUT_NAMES = "row without column names above it"
NOT_VMSTAT_LOG = "not a vmstat log: no line of its column names (-d, -s and -t are not read)"
"""Messages; in the product they are in ``pipeline/parse/texts.py``."""

TITLE = r"^-*procs-* -+memory-+ -+swap-+ -+io-+ -+system-+ -+cpu-+\s*$"


def parse(log: Log, **_options: object) -> Parsed:
    """Read the log as the table ``vmstat``, one row per snapshot.

    ``date``, ``tz`` and ``tool_version`` change nothing: vmstat prints no time.

    Raises
    ------
    UnknownFormatError
        The log has lines, but no line of column names that is known.
    """
    body = log.body().with_columns(_single_spaced("text"))
    is_title = pl.col("text").str.contains(TITLE)
    is_names = pl.col("text").is_in(FORMS)
    headers = body.filter(is_title | is_names)
    names = body.filter(is_names).select("line", form="text")
    if body.height and not names.height:
        raise UnknownFormatError(log.file, NOT_VMSTAT_LOG)
    rows = body.join(headers, on="line", how="anti", maintain_order="left")
    rows = rows.join_asof(names, on="line", strategy="backward")
    good, bad = split_rejects(_with_values(rows), _reject_reason(log))
    good, snapshots = _with_snapshots(log, good)
    is_second = ~pl.col("snapshot").is_first_distinct()
    good, duplicates = split_rejects(good, first_of((is_second, texts.DUPLICATE_IN_SNAPSHOT)))
    frame = _with_is_interval(log, good)
    return to_parsed(
        log,
        "vmstat",
        {"vmstat": select_table_columns(log.with_timestamps(frame), "vmstat")},
        records=good["line"],
        headers=headers["line"],
        rejects=pl.concat([bad, duplicates]),
        snapshots=snapshots,
        warnings=[f"{log.file}: {texts.NO_TIMES}"] if good.height and not log.has_sentinels else [],
    )


def _single_spaced(column: str) -> pl.Expr:
    """The text without spaces at its ends and with one space between fields (the title stays)."""
    return pl.col(column).str.strip_chars().str.replace_all(r"\s+", " ")


def _with_values(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` with the number of fields, and the table's columns by the names above each row."""
    rows = rows.with_columns(
        fields=pl.col("text").str.split(" "), names=pl.col("form").str.split(" ")
    )

    def value(name: str) -> pl.Expr:
        column, factor = COLUMNS[name]
        positions = {form: form.split(" ").index(name) for form in FORMS if name in form.split(" ")}
        by_form = (
            pl.when(pl.col("form") == form).then(pl.col("fields").list.get(at, null_on_oob=True))
            for form, at in positions.items()
        )
        return (to_int64(pl.coalesce(by_form)) * factor).alias(column)

    return rows.with_columns(value(name) for name in COLUMNS)


def _reject_reason(log: Log) -> pl.Expr:
    """Why a line is not a row; null for a row."""
    count, expected = pl.col("fields").list.len(), pl.col("names").list.len()
    return first_of(
        (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
        (log.is_unterminated_line, texts.TRUNCATED),
        (~pl.col("text").str.contains(r"^[0-9 ]+$"), texts.not_a_line_of("vmstat")),
        (pl.col("form").is_null(), ROW_WITHOUT_NAMES),
        (count != expected, pl.format(texts.FIELD_COUNT, count, expected)),
        (pl.col("text").str.contains(r"[0-9]{16}"), texts.TOO_LARGE),
    )


def _with_snapshots(log: Log, rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """``rows`` with their ``snapshot``: the ``#T`` lines begin one, without them each row does."""
    starts = NO_LINES if log.has_sentinels else rows["line"]
    rows, snapshots = with_snapshot_after(SnapshotsBefore(), log, rows, rows, starts)
    return rows, snapshots.count


def _with_is_interval(log: Log, rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` with ``is_interval``: false where vmstat was started, whose first row is since boot."""
    if not log.has_sentinels:
        return rows.with_columns(is_interval=pl.int_range(pl.len()) > 0)
    starts = log.ticks.select("tick", "is_start")
    rows = rows.join(starts, on="tick", how="left", maintain_order="left")
    return rows.with_columns(is_interval=~pl.col("is_start").fill_null(True))
