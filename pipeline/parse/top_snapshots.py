"""Snapshots of top's log: where they begin, their threads, and whether another top printed them."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from pipeline.parse.log import Log, SnapshotsBefore, with_snapshot_after
from pipeline.parse.top_columns import ColumnHeader
from pipeline.parse.top_lines import WINDOW_NAMES, with_rows_of_other_headers, without_bad_headers
from pipeline.parse.top_summary import SUMMARY_KINDS


@dataclass(frozen=True)
class SummaryFacts:
    """What the log has anywhere above its tables; decides where snapshots begin."""

    has_summary: bool = False
    has_clock: bool = False

    def with_lines(self, lines: pl.DataFrame) -> SummaryFacts:
        """These, or what more lines have (``what``)."""
        if self.has_clock:
            return self
        what = lines["what"].drop_nulls().unique()
        return SummaryFacts(
            self.has_summary or what.is_in(SUMMARY_KINDS).any(), (what == "clock").any()
        )


@dataclass(frozen=True)
class NumberedLines:
    """Lines of a piece with ``snapshot`` and ``section``."""

    lines: pl.DataFrame
    snapshots: int
    """Number of those that begin in the piece."""
    starts: pl.Series
    """Lines with which they begin, but for the repetitions."""
    is_repeated: bool
    """Whether a snapshot begins where all processes come again."""


@dataclass
class SnapshotNumbers:
    """Numbers the snapshots of a log, piece by piece."""

    before: SnapshotsBefore = field(default_factory=SnapshotsBefore)
    """Snapshots of the pieces so far."""
    title: str | None = None
    """Line of column names in force."""
    last_what: str | None = None
    """Type of the last line that has one."""

    def read(
        self,
        lines: pl.DataFrame,
        log: Log,
        names: dict[str, ColumnHeader],
        facts: SummaryFacts,
        *,
        may_repeat: bool = True,
    ) -> NumberedLines:
        """The next piece's lines (``top_lines.classify``), with the types that follow from their names.

        A snapshot starts with the line of the clock. Without it, a snapshot starts where summary lines follow the
        table, or where column names do, and where all processes come again; its time is unknown. ``section`` is the
        snapshot without the last rule: column names hold in their section.

        ``may_repeat``: whether processes may come again; of a sketch, it is not known.
        """
        lines = without_bad_headers(lines, names)
        lines = with_rows_of_other_headers(lines, names, self.title)
        recognized = lines.filter(pl.col("what").is_not_null())
        starts = recognized.filter(self._is_start(log, facts))["line"]
        titles = recognized.filter(pl.col("what") == "names")["text"]
        self.title = titles[-1] if titles.len() else self.title
        self.last_what = recognized["what"][-1] if recognized.height else self.last_what
        before = self.before
        numbered, self.before = with_snapshot_after(before, log, lines, recognized, starts)
        numbered = numbered.with_columns(section="snapshot")
        more = _repetitions(numbered) if may_repeat and not log.has_sentinels else starts.clear()
        if more.len():
            every = pl.concat([starts, more]).sort()
            sections = numbered.select("line", "section")
            numbered, self.before = with_snapshot_after(before, log, lines, recognized, every)
            numbered = numbered.join(sections, on="line", how="left", maintain_order="left")
        count = self.before.count - before.count
        begins = pl.concat([starts.cast(pl.Int64), log.ticks["line"]])
        return NumberedLines(numbered, count, begins, more.len() > 0)

    def _is_start(self, log: Log, facts: SummaryFacts) -> pl.Expr:
        """Whether a recognized line starts a snapshot."""
        before = pl.col("what").shift().fill_null(pl.lit(self.last_what, pl.String))
        after_table = before.is_in(["row", "names"])
        is_summary = pl.col("what").is_in(SUMMARY_KINDS)
        is_names = pl.col("what") == "names"
        if not facts.has_summary:
            return is_names & (before.is_null() | after_table)
        is_start = (pl.col("what") == "clock") | (is_summary & after_table)
        if not facts.has_clock:
            is_start = is_start | (is_summary & before.is_null())
        if not log.has_sentinels:
            is_other_window = pl.col("text").str.contains(WINDOW_NAMES)
            is_start = is_start | (is_names & ~is_other_window & (before == "row"))
        return is_start


def _repetitions(lines: pl.DataFrame) -> pl.Series:
    """Lines of rows at which the processes of a snapshot come again, at least half of them."""
    if lines.select(pl.col("text").str.contains(WINDOW_NAMES).any()).item():
        return pl.Series(dtype=pl.Int64)
    rows = lines.filter(pl.col("what") == "row").select(
        "line", "text", "section", pid=pl.col("text").str.extract(r"^\s*([0-9]+)\s")
    )
    is_doubled = (pl.col("text") == pl.col("text").shift()).fill_null(False)
    rows = rows.filter(~is_doubled).drop_nulls("pid")
    rows = rows.with_columns(again=pl.int_range(pl.len()).over("section", "pid", order_by="line"))
    is_table = (pl.col("again") > 0).sum() * 2 >= pl.col("pid").n_unique()
    rows = rows.filter(is_table.over("section") & (pl.col("again").max().over("section") > 0))
    rows = rows.with_columns(table=pl.col("again").cum_max().over("section", order_by="line"))
    is_first = pl.struct("section", "table").is_first_distinct() & (pl.col("table") > 0)
    return rows.filter(is_first)["line"]


def with_row_only_snapshots(summary: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``summary`` with a row for each snapshot that has processes but no summary lines."""
    bare = rows.group_by("snapshot").agg(pl.col("line").min())
    bare = bare.join(summary, on="snapshot", how="anti")
    return pl.concat([summary, bare], how="diagonal").sort("snapshot")


@dataclass
class TopProcesses:
    """The processes of top itself, which tell whether another top printed a snapshot."""

    before: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"snapshot": pl.Int64, "pid": pl.Int64})
    )
    """Those of the last snapshot so far."""

    def mark_restarts(
        self, summary: pl.DataFrame, rows: pl.DataFrame, last_snapshot: int
    ) -> pl.DataFrame:
        """``summary`` in which a snapshot of another top process than the one before is not an interval.

        Repeated ``top -b -n 1 >> log`` prints first iterations only. Two snapshots that both show a top, but not the
        same process, are of two runs.
        """
        tops = self.before
        if "command" in rows.columns:
            commands = rows["command"].unique()  # few: each is searched once
            commands = commands.filter(commands.str.contains(r"^(?:\S*/)?top(?: |$)"))
            if commands.len():
                is_top = pl.col("command").is_in(commands.implode())
                tops = pl.concat([tops, rows.filter(is_top).select("snapshot", "pid")])
        if tops.is_empty():
            return summary
        self.before = tops.filter(pl.col("snapshot") == last_snapshot)
        before = tops.with_columns(snapshot=pl.col("snapshot") + 1)
        have_both = tops.join(before, on="snapshot", how="semi")["snapshot"].implode()
        same = tops.join(before, on=["snapshot", "pid"], how="semi")["snapshot"].implode()
        is_restart = pl.col("snapshot").is_in(have_both) & ~pl.col("snapshot").is_in(same)
        return summary.with_columns(is_interval=pl.col("is_interval") & ~is_restart)
