"""sysbench.log: what sysbench 0.4, 0.5, 1.0 and 1.1 print, one summary row per report, one row per interval line.

Read: the report of any test (OLTP, fileio and memory in full, the general part of others), the interval lines
of ``--report-interval`` of 0.5 and later, also as CSV and JSON (``sysbench.report_csv`` and ``report_json``),
checkpoint reports, several runs in one file, decimals with a point or a comma, latencies in ms or s, reports with
blanks before them. Everything between the banner and ``Threads started!`` describes the test and is a header, as are
the program's messages and headings, and the histogram.

Table ``client`` (columns and units: docs/reference/tables.md), ``tool`` = ``sysbench``
    - ``completions`` = ``transactions``, or events where the test has no transactions;
    - ``elapsed_s``: ``total time`` of a summary, the time since the start of an interval line;
    - ``throughput_per_s``: transactions (events, operations on memory, requests of fileio 0.4) per second as printed;
    - ``response_time_*``: latency of a transaction (event), including time in the client between its
      statements;
    - ``errors``: ignored errors (deadlocks in 0.4);
    - ``requests``: queries of all kinds, or operations of memory and fileio;
    - MiB (MB before 1.0) are 1,048,576 bytes.

``flags``
    incomplete              a line of the report is missing; its values are null
    events                  the test has no transactions: completions are its events
    checkpoint              a report during the run (``--report-checkpoints``): its counts start at the
                            previous checkpoint
    since-checkpoint        the last report of a run with checkpoints: its counts start at the last of them,
                            ``elapsed_s`` at the start of the run
    no-percentile           the percentile was switched off
    percentile-unknown      CSV and JSON do not print which percentile it is
    percentile-at-least     the percentile is the upper end of sysbench's histogram: it is that or more
    no-events               nothing was completed: response times are null, not 0
    impossible-value        a negative number, or one of a counter that ran below zero: it is null
    counts-do-not-add-up    read + write + other is not the total of queries
    errors                  the interval had ignored errors
    unterminated            the last line is unterminated: its last number may be truncated

Caveats
    - 0.5 prints reads and writes per second, not all queries: ``queries_per_s`` of its intervals is null.
    - A run that was killed has interval rows but no summary, and a warning.
    - A CSV line of ``report_cumulative`` looks like one of an interval, and is read as one.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> text = "[ 2s ] thds: 4 tps: 9.50 qps: 190.01 (r/w/o: 133.01/38.00/19.00) " \\
    ...        "lat (ms,95%): 511.33 err/s: 0.00 reconn/s: 0.00\\n"
    >>> parse(log_from_text(text, "sysbench.log")).tables["client"].select(
    ...     "kind", "elapsed_s", "throughput_per_s", "response_time_percentile_s").rows()
    [('interval', 2.0, 9.5, 0.51133)]
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import polars as pl

from pipeline.parse import texts
from pipeline.parse.expressions import join_flags, to_float64, to_int64
from pipeline.parse.held_lines import HeldLines
from pipeline.parse.line_templates import ParsedReport, ReportReader, match_templates
from pipeline.parse.log import Log, log_from_text
from pipeline.parse.parsed import Parsed, select_table_columns, to_parsed
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import read_whole
from pipeline.parse.sysbench_json import JsonObjects, json_objects
from pipeline.parse.sysbench_templates import (
    INTERVAL_GROUPS,
    INTERVALS,
    REQUIRED,
    RESULTS,
    SETUP,
    TEMPLATES,
    WORTH_A_WARNING,
    interval_lines,
)

MEBIBYTE = 2**20
HISTOGRAM_END_S = [100.0, 10_000.0]
"""Upper ends of the histogram from which percentiles are taken: since 1.0, and before."""
MAX_PER_S = 1e12
MAX_TIME_S = 1e9
"""Limits of rates and times: what comes of a counter that ran below zero is above them (2^64 ns are 1.8e10 s)."""


def parse(log: Log, **_options: object) -> Parsed:
    """Parse the output of sysbench. It has no time of day, so ``date`` and ``tz`` are not used."""
    return read_whole(Reader(log.file), log)


class Reader:
    """Reads the output of sysbench piece by piece (:mod:`reader`): each run, from its banner on, as a whole.

    A log of interval lines without a banner is read by lines.
    """

    START = re.compile(rb"^(?:sysbench [0-9]+\.[0-9]|\[ *[0-9]+s ?\] )", re.MULTILINE)
    NEEDS_SURVEY = False

    def __init__(self, file: str, **_options: object):
        self._held = HeldLines()
        self._reports = ReportReader(file, "sysbench", INTERVALS)
        self._rank: int | None = None
        """Of the last line of a report."""
        self._checkpoints = 0
        """Number of checkpoints below the last report."""

    def survey(self, piece: Piece) -> None:
        """Nothing."""

    def read(self, piece: Piece) -> Parsed:
        """The runs that end in a piece."""
        log = self._held.joined(piece.log)
        body = log.body()
        objects = json_objects(body)
        if objects.has_candidates:
            of_json = [*objects.lines, *objects.brackets, *objects.rejects]
            body = body.filter(~pl.col("line").is_in(of_json))
        parsed = match_templates(body, TEMPLATES)
        if not piece.is_last:
            # an object may go on below, and decides whether others are read
            first = None if objects.has_candidates else _last_start(parsed, log)
            log, parsed = self._held.hold(log, first), parsed.above(first)
            if objects.has_candidates:
                objects = json_objects(body.clear())
        is_setup = pl.col("template").is_null() & (
            pl.col("rank").forward_fill().fill_null(pl.lit(self._rank, pl.Int64)) <= SETUP
        )
        template = pl.when(is_setup).then(pl.lit("setup")).otherwise("template")
        parsed = replace(parsed, classified=parsed.classified.with_columns(template=template))
        if parsed.classified["rank"].null_count() < parsed.classified.height:
            reports = _reports(parsed, self._checkpoints, log)
        else:
            reports = _no_reports()
        self._carry(parsed)
        intervals = _intervals(parsed, objects, log)
        records, headers, rejects = self._reports.account_lines(
            parsed, reports, has_other_records=bool(objects.lines)
        )
        self._reports.note_warnings(
            log,
            parsed,
            reports,
            is_message=pl.col("text").str.contains(WORTH_A_WARNING),
            is_start=pl.col("template").is_in(["running", "started"]),
        )
        if piece.is_last:
            self._reports.check()
        frames = [reports.drop("report"), intervals]
        return to_parsed(
            log,
            "sysbench",
            {"client": pl.concat(frames, how="diagonal_relaxed").sort("line")},
            records=pl.concat([records, pl.Series(objects.lines, dtype=pl.Int64)]),
            headers=pl.concat([headers, pl.Series(objects.brackets, dtype=pl.Int64)]),
            rejects=pl.concat([rejects, _rejects(objects.rejects)]),
            snapshots=reports.height,
        )

    def _carry(self, parsed: ParsedReport) -> None:
        """Keep what the lines of the next piece need."""
        ranked = parsed.classified.filter(pl.col("rank").is_not_null())
        checkpoints = parsed.lines("checkpoint")["line"]
        if ranked.height:
            self._rank = ranked["rank"][-1]
            last = ranked.filter(~pl.col("is_duplicate"))["line"][-1]
            self._checkpoints = int((checkpoints > last).sum())
        else:
            self._checkpoints += checkpoints.len()

    def finish(self) -> tuple[list[str], list[str]]:
        """Warnings about the log."""
        return self._reports.warnings(), []


def _last_start(parsed: ParsedReport, log: Log) -> int | None:
    """First line of the last run, which may go on in the next piece: its banner, or of reports without one the first.

    The number after the last line if there is no report.
    """
    ranked = parsed.classified.filter(pl.col("rank").is_not_null() & ~pl.col("is_duplicate"))
    banners = ranked.filter(pl.col("template") == "banner")["line"]
    if banners.len():
        return int(banners[-1])
    return int(ranked["line"][0]) if ranked.height else log.last_line + 1


def _rejects(lines: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"line": lines, "reason": [texts.MALFORMED_JSON] * len(lines)},
        schema={"line": pl.Int64, "reason": pl.String},
    )


def _possible(value: pl.Expr, limit: float) -> pl.Expr:
    """The value where it is not negative and not above the limit."""
    return pl.when(value.is_between(0, limit)).then(value)


def _is_impossible(value: pl.Expr, limit: float) -> pl.Expr:
    return value.is_not_null() & ~value.is_between(0, limit)


def _reports(parsed: ParsedReport, checkpoints: int, log: Log) -> pl.DataFrame:
    """One row of ``client`` per report, and its number; ``checkpoints``: those since the report before."""
    base = _with_setup(parsed, checkpoints)

    def seconds(name: str, unit: str) -> pl.Expr:
        value = pl.col(f"{name}.value")
        printed_unit = pl.col(f"{name}.unit").fill_null(unit)
        return pl.when(printed_unit == "s").then(to_float64(value)).otherwise(to_float64(value, -3))

    def rate(name: str) -> pl.Expr:
        return to_float64(f"{name}.rate")

    def mib(name: str) -> pl.Expr:
        return to_float64(f"{name}.mib") * MEBIBYTE

    rates = {
        "throughput_per_s": pl.coalesce(
            map(rate, ("transactions", "events_per_second", "eps", "memory_operations", "requests_executed"))
        ),
        "queries_per_s": pl.coalesce(rate("queries"), rate("read_write") + rate("other_operations")),
        "reads_per_s": pl.coalesce(rate("reads_per_second"), rate("read_iops")),
        "writes_per_s": pl.coalesce(rate("writes_per_second"), rate("write_iops")),
        "fsyncs_per_s": pl.coalesce(rate("fsyncs_per_second"), rate("fsync_iops")),
        "read_bytes_per_s": pl.coalesce(mib("read_rate"), mib("read_iops")),
        "write_bytes_per_s": pl.coalesce(mib("write_rate"), mib("write_iops")),
        "transferred_bytes_per_s": pl.coalesce(
            rate("memory_transferred") * MEBIBYTE,
            rate("file_transferred") * _binary_prefix("file_transferred.rate_prefix"),
        ),
    }  # fmt: skip
    latencies = {
        "response_time_mean_s": seconds("avg", "ms"),
        "response_time_min_s": seconds("min", "ms"),
        "response_time_max_s": seconds("max", "ms"),
        "response_time_percentile_s": seconds("percentile", "ms"),
    }
    times = {
        "elapsed_s": seconds("total_time", "s"),
        "response_time_sum_s": pl.coalesce(seconds("sum", "ms"), seconds("execution", "s")),
    }
    requests = ("queries_total.n", "queries.n", "memory_operations.n", "file_operations.n")
    counts = {
        "requests": pl.coalesce(requests),
        "transactions": pl.col("transactions.n"),
        "events": pl.col("events.n"),
    }
    printed = base.select(
        "report",
        pl.lit("sysbench").alias("tool"),
        "version",
        pl.lit("summary").alias("kind"),
        "line",
        "threads",
        "offered_rate_per_s",
        "last",
        "is_checkpoint",
        "follows_checkpoint",
        *(value.alias(name) for name, value in (rates | latencies | times).items()),
        *(to_int64(value).alias(name) for name, value in counts.items()),
        *(_exceeds_64_bits(value).alias(f"{name}_exceeds") for name, value in counts.items()),
        transferred_bytes=pl.coalesce(
            to_float64("memory_transferred.mib") * MEBIBYTE,
            to_float64("file_transferred.size") * _binary_prefix("file_transferred.prefix"),
        ),
        percentile=to_float64("percentile.which"),
        errors=pl.coalesce(to_int64("ignored_errors.n"), to_int64("deadlocks.n")),
        reconnects=to_int64("reconnects.n"),
        no_percentile="has_no_percentile",
        incomplete=_is_incomplete(),
        differs=to_int64("read.n") + to_int64("write.n") + to_int64("other.n")
        != to_int64("queries_total.n"),
    )  # fmt: skip
    has_events = ~(pl.coalesce("events", "transactions") == 0).fill_null(False)
    printed = printed.with_columns(
        pl.when(has_events).then(pl.col(*latencies)), has_events=has_events
    )
    impossible = pl.any_horizontal(
        *(_is_impossible(pl.col(name), MAX_PER_S) for name in rates),
        *(_is_impossible(pl.col(name), MAX_TIME_S) for name in (*latencies, *times)),
        pl.col(f"{name}_exceeds" for name in counts),
    )
    flags = (
        (pl.col("incomplete"), "incomplete"),
        (pl.col("transactions").is_null(), "events"),
        (pl.col("is_checkpoint"), "checkpoint"),
        (pl.col("follows_checkpoint"), "since-checkpoint"),
        (pl.col("no_percentile"), "no-percentile"),
        (pl.col("response_time_percentile_s").is_in(HISTOGRAM_END_S), "percentile-at-least"),
        (~pl.col("has_events"), "no-events"),
        (impossible, "impossible-value"),
        (pl.col("differs"), "counts-do-not-add-up"),
        ((pl.col("last") == log.last_line) & pl.lit(log.unterminated), "unterminated"),
    )
    printed = printed.with_columns(
        _possible(pl.col(*rates), MAX_PER_S),
        _possible(pl.col(*latencies, *times), MAX_TIME_S),
        completions=pl.coalesce("transactions", "events"),
        flags=join_flags(flags),
    )
    return select_table_columns(printed, "client").with_columns(printed["report"])


@cache
def _no_reports() -> pl.DataFrame:
    """``_reports`` of lines without a report."""
    lines = pl.DataFrame(schema={"line": pl.Int64, "text": pl.String})
    return _reports(match_templates(lines, TEMPLATES), 0, log_from_text("", ""))


def _is_incomplete() -> pl.Expr:
    """Whether a line that every report of its kind has is missing; fileio of 1.1 has no total time and no count."""
    missing = [~pl.col(f"has_{name}") for name in REQUIRED]
    is_file_1_1 = pl.col("has_read_iops") & missing[0] & missing[1]
    return pl.any_horizontal(*missing[2:], ~is_file_1_1 & pl.any_horizontal(missing[:2]))


def _exceeds_64_bits(text: pl.Expr) -> pl.Expr:
    return text.is_not_null() & to_int64(text).is_null()


def _binary_prefix(column: str) -> pl.Expr:
    """Bytes of ``K``, ``M``, ``G``, ``T`` and of no prefix, as sysbench means them."""
    sizes = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    return pl.col(column).replace_strict(sizes, default=None, return_dtype=pl.Int64)


def _with_setup(parsed: ParsedReport, before: int) -> pl.DataFrame:
    """The reports with version, threads and rate of their run.

    A run starts at its banner; reports of checkpoints and the last report share it.
    """
    checkpoints = parsed.lines("checkpoint").select(at="line").with_row_index("checkpoints", 1)
    passed = pl.col("checkpoints").fill_null(0) + before
    run = pl.col("has_banner").cum_sum()
    return (
        parsed.reports([template.name for template in TEMPLATES])
        .join_asof(checkpoints, left_on="last", right_on="at", strategy="backward")
        .with_columns(
            version=pl.col("banner.version").forward_fill().over(run),
            threads=to_int64("threads.n").forward_fill().over(run),
            offered_rate_per_s=pl.col("target.n").cast(pl.Float64).forward_fill().over(run),
            is_checkpoint=passed > passed.shift(fill_value=0),
            run=run,
        )
        .with_columns(
            follows_checkpoint=~pl.col("is_checkpoint") & pl.col("is_checkpoint").any().over("run")
        )
        .filter(pl.any_horizontal(f"has_{name}" for name in RESULTS))
    )


def _intervals(parsed: ParsedReport, objects: JsonObjects, log: Log) -> pl.DataFrame:
    """One row of ``client`` per interval line, or object of JSON."""
    printed = set(parsed.classified["template"].unique())
    lines = [
        interval_lines(parsed) if name == "interval" else parsed.lines(name)
        for name in INTERVALS
        if name in printed
    ]
    lines = pl.concat([pl.DataFrame(schema=INTERVAL_GROUPS), *lines], how="diagonal").sort("line")
    threads = to_int64(pl.coalesce("threads", "count"))
    is_csv = pl.col("qps").is_not_null() & pl.col("which").is_null()
    lines = lines.select(
        "line",
        at=to_float64("at"),
        threads=threads,
        tps=to_float64("tps"),
        qps=to_float64("qps"),
        fsyncs=to_float64("fsyncs"),
        read=to_float64("read") * MEBIBYTE,
        write=to_float64("write") * MEBIBYTE,
        transferred=to_float64("mib") * MEBIBYTE,
        which=to_float64(pl.coalesce("which", "old_which")),
        lat=to_float64(pl.coalesce("lat", "old_lat"), -3),
        errors=to_float64("errors"),
        unnamed=is_csv,
    )
    of_json = objects.intervals.with_columns(pl.col("lat") / 1000, unnamed=pl.lit(True))
    lines = pl.concat([lines, of_json], how="diagonal").sort("line")
    banners = parsed.lines("banner").select("line", "version")
    lines = lines.join_asof(banners, on="line", strategy="backward")
    which, lat = pl.col("which"), pl.col("lat")
    rates = ("tps", "qps", "fsyncs", "read", "write", "transferred")
    moved = pl.sum_horizontal("tps", "qps", "fsyncs", "read", "write")
    no_events = (moved == 0) & (lat == 0)
    impossible = pl.any_horizontal(
        *(_is_impossible(pl.col(name), MAX_PER_S) for name in rates),
        _is_impossible(lat, MAX_TIME_S),
    )
    flags = (
        (which == 0, "no-percentile"),
        (pl.col("unnamed"), "percentile-unknown"),
        ((which != 0).fill_null(True) & lat.is_in(HISTOGRAM_END_S), "percentile-at-least"),
        (no_events, "no-events"),
        (impossible, "impossible-value"),
        (pl.col("errors") > 0, "errors"),
        (log.is_unterminated_line, "unterminated"),
    )
    has_latency = ((which > 0) | pl.col("unnamed")).fill_null(False) & ~no_events.fill_null(False)

    def per_s(name: str) -> pl.Expr:
        return _possible(pl.col(name), MAX_PER_S)

    return lines.select(
        pl.lit("sysbench").alias("tool"),
        "version",
        pl.lit("interval").alias("kind"),
        "line",
        pl.col("at").alias("elapsed_s"),
        "threads",
        per_s("tps").alias("throughput_per_s"),
        per_s("qps").alias("queries_per_s"),
        per_s("fsyncs").alias("fsyncs_per_s"),
        per_s("read").alias("read_bytes_per_s"),
        per_s("write").alias("write_bytes_per_s"),
        per_s("transferred").alias("transferred_bytes_per_s"),
        pl.when(has_latency).then(_possible(lat, MAX_TIME_S)).alias("response_time_percentile_s"),
        pl.when(which > 0).then(which).alias("percentile"),
        join_flags(flags).alias("flags"),
    )
