"""The lines that sysbench 0.4, 0.5, 1.0 and 1.1 print, as templates in the order of a report.

Indentation does not count: reports are copied into mails and tickets with blanks before them.

Example:
    >>> [template.name for template in TEMPLATES if template.rank is None][:3]
    ['interval', 'old_interval', 'file_interval']
"""

from __future__ import annotations

import re

import polars as pl

from pipeline.parse.expressions import NUMBER
from pipeline.parse.line_templates import LineTemplate, ParsedReport
from pipeline.parse.reader import is_fast

_PER_SECOND = rf"(?P<n>[0-9]+)\s+\((?P<rate>{NUMBER}) per sec\.\)\s*$"
_TIME = rf"(?P<value>{NUMBER})(?P<unit>ms|s)?\s*$"
_AT = rf"^\s*\[\s*(?P<at>{NUMBER})s\s*\] "
_IOPS = rf"IOPS=(?P<rate>{NUMBER})"
_MIB_PER_S = rf" (?P<mib>{NUMBER}) MiB/s \({NUMBER} MB/s\)"
_POINT_NUMBER = r"-?(?:[0-9]+(?:\.[0-9]+)?|nan|inf)"

TEMPLATES = (
    LineTemplate("banner", 0, r"^\s*sysbench (?P<version>[0-9]+\.[0-9][0-9A-Za-z.+_-]*)"),
    LineTemplate("running", 1, r"^\s*Running the test with following options:"),
    LineTemplate("threads", 2, r"^\s*Number of threads: (?P<n>[0-9]+)\s*$"),
    LineTemplate("target", 3, r"^\s*Target transaction rate: (?P<n>[0-9]+)/sec\s*$"),
    LineTemplate("started", 4, r"^\s*Threads started!\s*$"),
    # fileio of 0.4 and 0.5, memory of all versions
    LineTemplate("file_operations", 10,
        r"^\s*Operations performed:\s+[0-9]+ [Rr]eads?, [0-9]+ [Ww]rites?, [0-9]+ Other = (?P<n>[0-9]+) Total\s*$"),
    LineTemplate("file_transferred", 11,
        r"^\s*Read \S+\s+Written \S+\s+Total transferred (?P<size>[0-9.,]+)(?P<prefix>[KMGT]?)i?[bB]"
        rf"\s+\((?P<rate>{NUMBER})(?P<rate_prefix>[KMGT]?)i?[bB]/sec\)\s*$"),
    LineTemplate("requests_executed", 12, rf"^\s*(?P<rate>{NUMBER}) Requests/sec executed\s*$"),
    LineTemplate("memory_operations", 13,
        r"^\s*(?:Total operations|Operations performed): (?P<n>[0-9]+)"
        rf" \(\s*(?P<rate>{NUMBER}) (?:per second|ops/sec)\)\s*$"),
    LineTemplate("memory_transferred", 14,
        rf"^\s*(?P<mib>{NUMBER}) Mi?B transferred \((?P<rate>{NUMBER}) Mi?B/sec\)\s*$"),
    # fileio of 1.0
    LineTemplate("reads_per_second", 20, rf"^\s*reads/s:\s+(?P<rate>{NUMBER})\s*$"),
    LineTemplate("writes_per_second", 21, rf"^\s*writes/s:\s+(?P<rate>{NUMBER})\s*$"),
    LineTemplate("fsyncs_per_second", 22, rf"^\s*fsyncs/s:\s+(?P<rate>{NUMBER})\s*$"),
    LineTemplate("read_rate", 23, rf"^\s*read, MiB/s:\s+(?P<mib>{NUMBER})\s*$"),
    LineTemplate("write_rate", 24, rf"^\s*written, MiB/s:\s+(?P<mib>{NUMBER})\s*$"),
    # fileio of 1.1
    LineTemplate("read_iops", 25, rf"^\s*read:\s+{_IOPS}{_MIB_PER_S}\s*$"),
    LineTemplate("write_iops", 26, rf"^\s*write:\s+{_IOPS}{_MIB_PER_S}\s*$"),
    LineTemplate("fsync_iops", 27, rf"^\s*fsync:\s+{_IOPS}\s*$"),
    LineTemplate("events_per_second", 30, rf"^\s*events per second:\s+(?P<rate>{NUMBER})\s*$"),
    LineTemplate("read", 31, r"^\s*read:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("write", 32, r"^\s*write:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("other", 33, r"^\s*other:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("queries_total", 34, r"^\s*total:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("transactions", 35, rf"^\s*transactions:\s+{_PER_SECOND}"),
    LineTemplate("deadlocks", 36, rf"^\s*deadlocks:\s+{_PER_SECOND}"),
    LineTemplate("read_write", 37, rf"^\s*read/write requests:\s+{_PER_SECOND}"),
    LineTemplate("other_operations", 38, rf"^\s*other operations:\s+{_PER_SECOND}"),
    LineTemplate("queries", 39, rf"^\s*queries:\s+{_PER_SECOND}"),
    LineTemplate("ignored_errors", 40, rf"^\s*ignored errors:\s+{_PER_SECOND}"),
    LineTemplate("reconnects", 41, rf"^\s*reconnects:\s+{_PER_SECOND}"),
    # "Throughput" of 1.1, which follows the counts of all tests
    LineTemplate("eps", 42, rf"^\s*events/s \(eps\):\s+(?P<rate>{NUMBER})\s*$"),
    LineTemplate("total_time", 43, rf"^\s*(?:total time|time elapsed):\s+{_TIME}"),
    LineTemplate("events", 44, r"^\s*total number of events:\s+(?P<n>[0-9]+)\s*$"),
    LineTemplate("execution", 45, rf"^\s*total time taken by event execution:\s+{_TIME}"),
    LineTemplate("min", 46, rf"^\s*min:\s+{_TIME}"),
    LineTemplate("avg", 47, rf"^\s*avg:\s+{_TIME}"),
    LineTemplate("max", 48, rf"^\s*max:\s+{_TIME}"),
    LineTemplate("percentile", 49,
        rf"^\s*(?:approx\.\s+)?(?P<which>{NUMBER})\s?(?:th|st|nd|rd)? percentile:\s+{_TIME}"),
    LineTemplate("no_percentile", 49, r"^\s*percentile stats:\s+disabled\s*$"),
    LineTemplate("sum", 50, rf"^\s*sum:\s+{_TIME}"),
    LineTemplate("events_a_thread", 51, rf"^\s*events \(avg/stddev\):\s+{NUMBER}/{NUMBER}\s*$"),
    LineTemplate("time_a_thread", 52, rf"^\s*execution time \(avg/stddev\):\s+{NUMBER}/{NUMBER}\s*$"),
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
    LineTemplate("file_interval", None, _AT +
        rf"reads: (?P<read>{NUMBER}) Mi?B/s,? writes: (?P<write>{NUMBER}) Mi?B/s,? fsyncs: (?P<fsyncs>{NUMBER})/s,?"
        rf" (?:latency \(ms, ?(?P<which>{NUMBER})%\): (?P<lat>{NUMBER})"
        rf"|response time: (?P<old_lat>{NUMBER})ms \((?P<old_which>{NUMBER})%\))\s*$"),
    LineTemplate("memory_interval", None, _AT + rf"(?P<mib>{NUMBER}) Mi?B/sec,?\s*$"),
    LineTemplate("csv_interval", None,
        rf"^\s*(?P<at>{_POINT_NUMBER}),(?P<threads>[0-9]+),(?P<tps>{_POINT_NUMBER}),(?P<qps>{_POINT_NUMBER}),"
        rf"(?:{_POINT_NUMBER},){{3}}(?P<lat>{_POINT_NUMBER}),(?P<errors>{_POINT_NUMBER}),{_POINT_NUMBER}\s*$"),
    LineTemplate("checkpoint", None, _AT + r"Checkpoint report:\s*$"),
    LineTemplate("queue", None, _AT + rf"queue length: {NUMBER},? concurrency: {NUMBER}\s*$"),
    LineTemplate("heading", None,
        r"^\s*(?:(?:SQL statistics|OLTP test statistics|General statistics|Test execution summary"
        r"|Latency \(ms\)|Threads fairness|Per-thread statistics|Verbose per-thread statistics"
        r"|CPU speed|Throughput|File operations|queries performed|response time|per-request statistics):"
        r"|Latency histogram \(values are in milliseconds\)|value\s+-+ distribution -+ count"
        r"|(?:[Tt]ime|TotalTime),[A-Za-z,/_ ]+)\s*$"),
    LineTemplate("message", None,
        r"^\s*(?:(?:FATAL|ALERT|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG)\b"
        r"|(?:PANIC|error): |\(last message repeated [0-9]+ times\)\s*$"
        r"|(?:Time|Event|Request)s? limit exceeded|Done\.\s*$|Maximum number of .* reached"
        r"|Warming up for|Forcing shutdown|The --max-time limit has expired"
        r"|Number of unfinished transactions|Worker thread \(#[0-9]+\))"),
    LineTemplate("of_a_thread_or_bin", None,
        rf"^\s*(?:thread #\s*[0-9]+: min: |total time taken by event execution: |{NUMBER} \|\**\s+[0-9]+\s*$)"),
)  # fmt: skip

INTERVALS = ("interval", "old_interval", "file_interval", "memory_interval", "csv_interval")
INTERVAL_GROUPS = {"line": pl.Int64} | {
    group: pl.String
    for template in TEMPLATES
    if template.name in INTERVALS
    for group in re.compile(template.pattern).groupindex
}
"""Columns of interval lines, as text."""

WORTH_A_WARNING = r"^\s*(?:FATAL|ALERT|CRITICAL|ERROR|WARNING|PANIC|error|Number of)"
SETUP = 3
"""Last rank of the setup of a run: lines up to the next rank describe the test."""
REQUIRED = ("total_time", "events", "min", "avg", "max")
"""Lines that a complete report of every test and version has; fileio of 1.1 lacks the first two."""
RESULTS = tuple(template.name for template in TEMPLATES if (template.rank or 0) > 4)
MIN_LINES_BY_BLANKS = 1000
"""Interval lines from which on it is faster to read the usual ones without groups."""


def interval_lines(parsed: ParsedReport) -> pl.DataFrame:
    """The interval lines of 1.0 with their groups (``ParsedReport.lines``).

    Most have eighteen parts between blanks: these are split, which is faster than groups.
    """
    kept = parsed.classified.filter(pl.col("template") == "interval")
    if kept.height < MIN_LINES_BY_BLANKS or not is_fast():
        return parsed.lines("interval")
    part = [pl.col(f"field_{number}") for number in range(19)]
    split = kept.select("line", "report", pl.col("text").str.split_exact(" ", 18).struct.unnest())
    labels = {
        0: "[",
        2: "]",
        3: "thds:",
        7: "qps:",
        9: "(r/w/o:",
        11: "lat",
        14: "err/s:",
        16: "reconn/s:",
    }
    is_usual = part[17].is_not_null() & part[18].is_null() & (part[17] != "")
    for number, label in labels.items():
        is_usual &= part[number] == label
    usual = split.filter(is_usual & part[12].str.starts_with("(ms,"))
    if usual.height < split.height:
        return parsed.lines("interval")
    return usual.select(
        "line",
        "report",
        at=part[1].str.strip_suffix("s"),
        threads=part[4],
        tps=part[6],
        qps=part[8],
        which=part[12].str.strip_prefix("(ms,").str.strip_suffix("%):"),
        lat=part[13],
        errors=part[15],
    )
