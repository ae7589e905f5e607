"""sysbench.log: what sysbench 0.4, 0.5 and 1.0 print, one summary row per report, one row per interval line.

Read: the report of any test (OLTP in full; of cpu, fileio, memory … the general part), the interval lines of
``--report-interval`` of 0.5 and 1.0, checkpoint reports, several runs in one file, decimals with
a point or a comma, latencies in ms or s. Everything between the banner and ``Threads started!`` describes the
test and is a header, as are the program's messages and headings.

Table ``client`` (columns and units: docs/reference/tables.md), ``tool`` = ``sysbench``
    - ``completions`` = ``transactions``, or events where the test has no transactions;
    - ``elapsed_s``: ``total time`` of a summary, the time since the start of an interval line;
    - ``throughput_per_s``: transactions (events) per second as printed;
    - ``response_time_*``: latency of a transaction (event), including time in the client between its
      statements;
    - ``errors``: ignored errors (deadlocks in 0.4); ``requests``: queries of all kinds.

``flags``
    incomplete              a line of the report is missing; its values are null
    events                  the test has no transactions: completions are its events
    checkpoint              a report during the run (``--report-checkpoints``): its counts start at the
                            previous checkpoint
    no-percentile           the percentile was switched off
    counts-do-not-add-up    read + write + other is not the total of queries
    errors                  the interval had ignored errors
    unterminated            the last line is unterminated: its last number may be truncated

Caveats
    - 0.5 prints reads and writes per second, not all queries: ``queries_per_s`` of its intervals is null.
    - A run that was killed has interval rows but no summary, and a warning.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> text = "[ 2s ] thds: 4 tps: 9.50 qps: 190.01 (r/w/o: 133.01/38.00/19.00) " \\
    ...        "lat (ms,95%): 511.33 err/s: 0.00 reconn/s: 0.00\\n"
    >>> parse(log_from_text(text, "sysbench.log")).tables["client"].select(
    ...     "kind", "elapsed_s", "throughput_per_s", "response_time_percentile_s").rows()
    [('interval', 2.0, 9.5, 0.51133)]
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.parse.expressions import NUMBER, join_flags, to_float64, to_int64
from pipeline.parse.line_templates import (
    LineTemplate,
    ParsedReport,
    account_lines,
    collect_warnings,
    match_templates,
)
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed, to_parsed

_PER_SECOND = rf"(?P<n>[0-9]+)\s+\((?P<rate>{NUMBER}) per sec\.\)\s*$"
_TIME = rf"(?P<value>{NUMBER})(?P<unit>ms|s)?\s*$"
_AT = rf"^\[\s*(?P<at>{NUMBER})s\s*\] "

TEMPLATES = (
    LineTemplate("banner", 0, r"^sysbench (?P<version>[0-9]+\.[0-9][0-9A-Za-z.+_-]*)"),
    LineTemplate("running", 1, r"^Running the test with following options:"),
    LineTemplate("threads", 2, r"^Number of threads: (?P<n>[0-9]+)\s*$"),
    LineTemplate("target", 3, r"^Target transaction rate: (?P<n>[0-9]+)/sec\s*$"),
    LineTemplate("started", 4, r"^Threads started!\s*$"),
    LineTemplate("events_per_second", 9, rf"^\s+(?:events per second|events/s \(eps\)):\s+(?P<rate>{NUMBER})\s*$"),
    LineTemplate("read", 10, r"^\s+read:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("write", 11, r"^\s+write:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("other", 12, r"^\s+other:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("queries_total", 13, r"^\s+total:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("transactions", 14, rf"^\s+transactions:\s+{_PER_SECOND}"),
    LineTemplate("deadlocks", 15, rf"^\s+deadlocks:\s+{_PER_SECOND}"),
    LineTemplate("read_write", 16, rf"^\s+read/write requests:\s+{_PER_SECOND}"),
    LineTemplate("other_operations", 17, rf"^\s+other operations:\s+{_PER_SECOND}"),
    LineTemplate("queries", 18, rf"^\s+queries:\s+{_PER_SECOND}"),
    LineTemplate("ignored_errors", 19, rf"^\s+ignored errors:\s+{_PER_SECOND}"),
    LineTemplate("reconnects", 20, rf"^\s+reconnects:\s+{_PER_SECOND}"),
    LineTemplate("total_time", 21, rf"^\s+(?:total time|time elapsed):\s+{_TIME}"),
    LineTemplate("events", 22, r"^\s+total number of events:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("execution", 23, rf"^\s+total time taken by event execution:\s+{_TIME}"),
    LineTemplate("min", 24, rf"^\s+min:\s+{_TIME}"),
    LineTemplate("avg", 25, rf"^\s+avg:\s+{_TIME}"),
    LineTemplate("max", 26, rf"^\s+max:\s+{_TIME}"),
    LineTemplate("percentile", 27,
         rf"^\s+(?:approx\.\s+)?(?P<which>{NUMBER})\s?(?:th|st|nd|rd)? percentile:\s+{_TIME}"),
    LineTemplate("no_percentile", 27, r"^\s+percentile stats:\s+disabled\s*$"),
    LineTemplate("sum", 28, rf"^\s+sum:\s+{_TIME}"),
    LineTemplate("events_a_thread", 29, rf"^\s+events \(avg/stddev\):\s+{NUMBER}/{NUMBER}\s*$"),
    LineTemplate("time_a_thread", 30, rf"^\s+execution time \(avg/stddev\):\s+{NUMBER}/{NUMBER}\s*$"),
    LineTemplate("interval", None, _AT +
         rf"thds: (?P<threads>[0-9]+) (?:tps|eps): (?P<tps>{NUMBER})(?: qps: (?P<qps>{NUMBER})"
         rf" \(r/w/o: {NUMBER}/{NUMBER}/{NUMBER}\))? lat \(ms, ?(?P<which>{NUMBER})%\): (?P<lat>{NUMBER})"
         rf"(?: err/s:? (?P<errors>{NUMBER}))?(?: reconn/s:? {NUMBER})?\s*$"),
    LineTemplate("old_interval", None, _AT +
         r"(?:threads: (?P<threads>[0-9]+)|Intermediate results: (?P<count>[0-9]+) threads),"
         rf" tps: (?P<tps>{NUMBER}),"
         rf" reads(?:/s)?: {NUMBER},? writes(?:/s)?: {NUMBER}(?:,? other(?:/s)?: {NUMBER})?,?"
         rf" response time: (?P<lat>{NUMBER})ms \((?P<which>{NUMBER})%\)"
         rf"(?:, errors(?:/s)?:\s+(?P<errors>{NUMBER}))?(?:, reconnects(?:/s)?:\s+{NUMBER})?\s*$"),
    LineTemplate("checkpoint", None, _AT + r"Checkpoint report:\s*$"),
    LineTemplate("more_interval", None, _AT + rf"(?:queue length: |(?:reads|writes): {NUMBER}|{NUMBER} M)"),
    LineTemplate("heading", None,
         r"^(?:SQL statistics|OLTP test statistics|General statistics|Test execution summary"
         r"|Latency \(ms\)|Threads fairness|Per-thread statistics|Verbose per-thread statistics"
         r"|CPU speed|Throughput|File operations"
         r"):\s*$|^Latency histogram \(values are in milliseconds\)\s*$"
         r"|^\s+(?:queries performed|response time|per-request statistics):\s*$"
         r"|^\s+value\s+-+ distribution -+ count\s*$"),
    LineTemplate("message", None,
         r"^(?:FATAL|ALERT|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG)\b"
         r"|^(?:PANIC|error): |^\(last message repeated [0-9]+ times\)\s*$"
         r"|^Time limit exceeded, exiting\.\.\.\s*$|^Done\.\s*$|^Maximum number of .* reached"
         r"|^Forcing shutdown|^The --max-time limit has expired"
         r"|^Number of unfinished transactions|^Worker thread \(#[0-9]+\)"),
    LineTemplate("of_a_test", None,
         rf"^\s+(?:reads/s|writes/s|fsyncs/s|read, MiB/s|written, MiB/s):\s+{NUMBER}\s*$"
         r"|^Operations performed:\s+[0-9]+|^Total operations: [0-9]+|^Read \S+\s+Written "
         rf"|^\s*{NUMBER} Requests/sec executed\s*$|^{NUMBER} Mi?B transferred \("
         r"|^\s+thread #\s*[0-9]+: min: |^\s+total time taken by event execution: "
         rf"|^\s*{NUMBER} \|\**\s+[0-9]+\s*$"),
)  # fmt: skip

WORTH_A_WARNING = r"^(?:FATAL|ALERT|CRITICAL|ERROR|WARNING|PANIC|error|Number of)"
SETUP = 3
"""Last rank of the setup of a run: lines up to the next rank describe the test."""
REQUIRED = ("total_time", "events", "min", "avg", "max")
"""Lines that a complete report of every test and version has."""
RESULTS = tuple(template.name for template in TEMPLATES if (template.rank or 0) > 4)


def parse(log: Log, **_options: object) -> Parsed:
    """Parse the output of sysbench. It has no time of day, so ``date`` and ``tz`` are not used."""
    parsed = match_templates(log.body(), TEMPLATES)
    is_setup = pl.col("template").is_null() & (pl.col("rank").forward_fill() <= SETUP)
    template = pl.when(is_setup).then(pl.lit("setup")).otherwise("template")
    parsed = replace(parsed, classified=parsed.classified.with_columns(template=template))
    reports = _reports(parsed, log)
    intervals = interval_rules(parsed, log)
    records, headers, rejects = account_lines(log, "sysbench", parsed, reports)
    return to_parsed(
        log,
        "sysbench",
        {"client": pl.concat([reports.drop("report"), intervals], how="diagonal").sort("line")},
        records=records,
        headers=headers,
        rejects=rejects,
        snapshots=reports.height,
        warnings=collect_warnings(
            log,
            "sysbench",
            parsed,
            reports,
            is_message=pl.col("text").str.contains(WORTH_A_WARNING),
            is_start=pl.col("template").is_in(["running", "started"]),
        ),
    )


def _reports(parsed: ParsedReport, log: Log) -> pl.DataFrame:
    """One row of ``client`` per report, and its number."""
    base = _with_setup(parsed)

    def seconds(name: str, unit: str) -> pl.Expr:
        value = pl.col(f"{name}.value")
        printed_unit = pl.col(f"{name}.unit").fill_null(unit)
        return pl.when(printed_unit == "s").then(to_float64(value)).otherwise(to_float64(value, -3))

    transactions, events = to_int64("transactions.n"), to_int64("events.n")
    queries = to_float64("read_write.rate") + to_float64("other_operations.rate")
    summed = to_int64("read.n") + to_int64("write.n") + to_int64("other.n")
    flags = (
        (~pl.all_horizontal(*(pl.col(f"has_{name}") for name in REQUIRED)), "incomplete"),
        (transactions.is_null(), "events"),
        (pl.col("is_checkpoint"), "checkpoint"),
        (pl.col("has_no_percentile"), "no-percentile"),
        (summed != to_int64("queries_total.n"), "counts-do-not-add-up"),
        ((pl.col("last") == log.lines.height) & pl.lit(log.unterminated), "unterminated"),
    )
    return base.select(
        "report",
        pl.lit("sysbench").alias("tool"),
        "version",
        pl.lit("summary").alias("kind"),
        "line",
        seconds("total_time", "s").alias("elapsed_s"),
        "threads",
        "offered_rate_per_s",
        pl.coalesce(to_int64("queries_total.n"), to_int64("queries.n")).alias("requests"),
        transactions.alias("transactions"),
        pl.coalesce(transactions, events).alias("completions"),
        pl.coalesce(to_float64("transactions.rate"), to_float64("events_per_second.rate")).alias(
            "throughput_per_s"
        ),
        pl.coalesce(to_float64("queries.rate"), queries).alias("queries_per_s"),
        *(
            seconds(template, "ms").alias(f"response_time_{name}_s")
            for template, name in (("avg", "mean"), ("min", "min"), ("max", "max"))
        ),
        seconds("percentile", "ms").alias("response_time_percentile_s"),
        to_float64("percentile.which").alias("percentile"),
        pl.coalesce(seconds("sum", "ms"), seconds("execution", "s")).alias("response_time_sum_s"),
        pl.coalesce(to_int64("ignored_errors.n"), to_int64("deadlocks.n")).alias("errors"),
        to_int64("reconnects.n").alias("reconnects"),
        join_flags(flags).alias("flags"),
    )


def _with_setup(parsed: ParsedReport) -> pl.DataFrame:
    """The reports with version, threads and rate of their run.

    A run starts at its banner; reports of checkpoints and the last report share it.
    """
    checkpoints = parsed.lines("checkpoint").select(at="line").with_row_index("checkpoints", 1)
    passed = pl.col("checkpoints").fill_null(0)
    run = pl.col("has_banner").cum_sum()
    return (
        parsed.reports([template.name for template in TEMPLATES])
        .join_asof(checkpoints, left_on="last", right_on="at", strategy="backward")
        .with_columns(
            version=pl.col("banner.version").forward_fill().over(run),
            threads=to_int64("threads.n").forward_fill().over(run),
            offered_rate_per_s=pl.col("target.n").cast(pl.Float64).forward_fill().over(run),
            is_checkpoint=passed > passed.shift(fill_value=0),
        )
        .filter(pl.any_horizontal(f"has_{name}" for name in RESULTS))
    )


def interval_rules(parsed: ParsedReport, log: Log) -> pl.DataFrame:
    """One row of ``client`` per interval line."""
    lines = pl.concat(map(parsed.lines, ("interval", "old_interval")), how="diagonal").sort("line")
    banners = parsed.lines("banner").select("line", "version")
    lines = lines.join_asof(banners, on="line", strategy="backward")
    template_name = to_float64("which")
    flags = (
        (template_name == 0, "no-percentile"),
        (to_float64("errors") > 0, "errors"),
        (log.is_unterminated_line, "unterminated"),
    )
    return lines.select(
        pl.lit("sysbench").alias("tool"),
        "version",
        pl.lit("interval").alias("kind"),
        "line",
        to_float64("at").alias("elapsed_s"),
        to_int64(pl.coalesce("threads", "count")).alias("threads"),
        to_float64("tps").alias("throughput_per_s"),
        to_float64("qps").alias("queries_per_s"),
        pl.when(template_name > 0).then(to_float64("lat", -3)).alias("response_time_percentile_s"),
        pl.when(template_name > 0).then(template_name).alias("percentile"),
        join_flags(flags).alias("flags"),
    )
