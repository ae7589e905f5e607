"""httperf.log: what httperf 0.8 and 0.9 print, one summary row per report.

Read: the command line (also broken over lines by ``\\``), the report from ``Total:`` to ``Errors:``, ``^C``
before any of it, the ``reply-rate =`` and ``session-rate =`` lines of ``--verbose``, the lines of sessions
(``--wsess``, ``--wsesslog``), several reports in one file, decimals with a point or a comma, reports with blanks
before them. The program's messages, histograms and printed requests, replies and lifetimes are headers.

Table ``client`` (columns and units: docs/reference/tables.md), ``tool`` = ``httperf``
    - ``completions`` = ``replies``; ``elapsed_s`` = test-duration, so X = completions / elapsed_s;
    - ``throughput_per_s``: mean of the 5-second samples of the reply rate (``Reply rate … avg``); null
      without samples (httperf prints 0.0);
    - ``response_time_mean_s``: reply time, response + transfer, without connecting, resolution 0.1 ms;
    - ``offered_rate_per_s``: connections (sessions) per second, from ``--rate`` or 1 / mean of ``--period``;
    - ``sessions_per_s``: sessions completed per second of the test; ``session_time_mean_s``: of completed ones;
    - ``errors_other``: socket-timo + addrunavail + ftab-full + other, so that the parts add up to ``errors``;
    - rows of kind ``interval``: one per ``reply-rate`` line, with the ``session-rate`` below it; ``elapsed_s``
      counts httperf's 5-second samples.

``flags``
    incomplete              a line of the report is missing; its values are null
    no-error-counts         an ``Errors:`` line is missing
    no-replies              no replies: times of replies are null, not 0
    no-connection-times     no connection with a reply has ended: times of connections are null, not 0
    no-rate-samples         shorter than 5 s: no sample of the reply rate
    several-calls           ``--num-calls`` or a session: more than one request per connection:
                            completions are not connections
    error-replies           replies with status 4xx or 5xx are among the completions
    errors-do-not-add-up    the parts do not add up to ``errors``
    interrupted             ended by ``^C``
    unterminated            the last line is unterminated: its last number may be truncated

Caveats
    - A reply time of 0.0 ms with replies is a measurement: less than 0.05 ms.
    - A command without a report (httperf was killed) gives no row and a warning.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> text = "Total: connections 9 requests 9 replies 8 test-duration 1.802 s\\n"
    >>> parse(log_from_text(text, "httperf.log")).tables["client"].select("replies", "elapsed_s").rows()
    [(8, 1.802)]
"""

from __future__ import annotations

import re

import polars as pl

from pipeline.parse.expressions import NUMBER, first_of, join_flags, to_float64, to_int64
from pipeline.parse.held_lines import HeldLines
from pipeline.parse.line_templates import (
    LineTemplate,
    ParsedReport,
    ReportReader,
    match_templates,
)
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed, to_parsed
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import read_whole

SAMPLE_S = 5.0
"""Interval of httperf's samples of the reply rate."""


def _numbers(pattern: str) -> str:
    """A pattern in which ``{name}`` is a number of that name and ``{name:d}`` a whole number."""
    pattern = re.sub(r"\{(\w+):d\}", r"(?P<\1>[0-9]+)", pattern)
    pattern = re.sub(r"\{(\w+)\}", lambda named: f"(?P<{named[1]}>{NUMBER})", pattern)
    return rf"^{pattern}\s*$"


TEMPLATES = (
    LineTemplate("command", 0, r"^(?:\S*[$#%>] )?(?:\S*/)?httperf\s+(?P<command>-.*)$", repeats=True),
    LineTemplate("burst", 1, r"^Maximum connect burst length: [0-9]+\s*$", repeats=True),
    LineTemplate("total", 2, _numbers(
        r"Total: connections {connections:d} requests {requests:d} replies {replies:d}"
        r" test-duration {elapsed} s")),
    LineTemplate("connection_rate", 3, _numbers(
        r"Connection rate: {rate} conn/s \({ms} ms/conn, <={most:d} concurrent connections\)")),
    LineTemplate("connection_time", 4, _numbers(
        r"Connection time \[ms\]: min {min} avg {mean} max {max} median {median} stddev {stddev}")),
    LineTemplate("connect_time", 5, _numbers(r"Connection time \[ms\]: connect {connect}")),
    LineTemplate("connection_length", 6, _numbers(r"Connection length \[replies/conn\]: {length}")),
    LineTemplate("request_rate", 7, _numbers(r"Request rate: {rate} req/s \({ms} ms/req\)")),
    LineTemplate("request_size", 8, _numbers(r"Request size \[B\]: {bytes}")),
    LineTemplate("reply_rate", 9, _numbers(
        r"Reply rate \[replies/s\]: min {min} avg {mean} max {max} stddev {stddev}"
        r" \({samples:d} samples\)")),
    LineTemplate("reply_time", 10, _numbers(r"Reply time \[ms\]: response {response}(?: transfer {transfer})?")),
    LineTemplate("reply_size", 11, _numbers(
        r"Reply size \[B\]: header {header} content {content} footer {footer} \(total {total}\)")),
    LineTemplate("reply_status", 12, _numbers(
        r"Reply status: 1xx={s1:d} 2xx={s2:d} 3xx={s3:d} 4xx={s4:d} 5xx={s5:d}")),
    LineTemplate("cpu", 13, _numbers(
        r"CPU time \[s\]: user {user_s} system {system_s}"
        r" \(user {user}% system {system}% total {total}%\)")),
    LineTemplate("net", 14, _numbers(r"Net I/O: {kb} KB/s \({bps}\*10\^6 bps\)")),
    LineTemplate("errors", 15, _numbers(
        r"Errors: total {errors:d} client-timo {timeout:d} socket-timo {socket:d}"
        r" connrefused {refused:d} connreset {reset:d}")),
    LineTemplate("more_errors", 16, _numbers(
        r"Errors: fd-unavail {fd:d} addrunavail {addr:d} ftab-full {ftab:d} other {other:d}")),
    LineTemplate("session_rate", 17, _numbers(
        r"Session rate \[sess/s\]: min {min} avg {mean} max {max} stddev {stddev} \({done:d}/{all:d}\)")),
    LineTemplate("session", 18, _numbers(r"Session: avg {connections} connections/session")),
    LineTemplate("session_lifetime", 19, _numbers(r"Session lifetime \[s\]: {s}")),
    LineTemplate("session_failtime", 20, _numbers(r"Session failtime \[s\]: {s}")),
    LineTemplate("session_lengths", 21, r"^Session length histogram:[0-9 ]*$"),
    LineTemplate("interval", None, _numbers(r"reply-rate\s+= {rate}")),
    LineTemplate("session_interval", None, _numbers(r"session-rate\s+= {rate}")),
    LineTemplate("message", None, r"^httperf(?:\.[0-9A-Za-z_]+)?: "),
    LineTemplate("printed", None, r"^[SR][HBFST][0-9]+\s?[:=]|^Connection lifetime\s+= [0-9]"),
    LineTemplate("histogram", None, r"^Connection lifetime histogram|^:$|^[0-9]+[.,][0-9] [0-9]+$"),
)  # fmt: skip

REQUIRED = tuple(
    template.name
    for template in TEMPLATES
    if template.rank is not None and 2 <= template.rank <= 14
)
"""Lines that every complete report has."""
INTERVALS = ("interval", "session_interval")


def parse(log: Log, **_options: object) -> Parsed:
    """Parse the output of httperf. It has no time of day, so ``date`` and ``tz`` are not used."""
    return read_whole(Reader(log.file), log)


class Reader:
    """Reads the output of httperf piece by piece (:mod:`reader`): each report as a whole."""

    START = re.compile(rb"^(?:\S*[$#%>] )?(?:\S*/)?httperf\s+-", re.MULTILINE)
    NEEDS_SURVEY = False

    def __init__(self, file: str, **_options: object):
        self._held = HeldLines()
        self._reports = ReportReader(file, "httperf", INTERVALS, ambiguous="histogram")
        self._last_stop = pl.DataFrame(schema={"line": pl.Int64})

    def survey(self, piece: Piece) -> None:
        """Nothing."""

    def read(self, piece: Piece) -> Parsed:
        """The reports that end in a piece."""
        log = self._held.joined(piece.log)
        body, interrupted = _join_wrapped(log.body())
        parsed = match_templates(body.filter(pl.col("text") != ""), TEMPLATES)
        if not piece.is_last:
            first = _last_start(parsed, log)
            log, parsed = self._held.hold(log, first), parsed.above(first)
            is_above = pl.lit(False) if first is None else pl.col("line") < first
            body, interrupted = body.filter(is_above), interrupted.filter(is_above)
        reports = _reports(parsed, pl.concat([self._last_stop, interrupted]), log)
        self._last_stop = pl.concat([self._last_stop, interrupted]).tail(1)
        records, headers, rejects = self._reports.account_lines(parsed, reports)
        # Continuation lines of a wrapped command are records; a line with ^C alone is a header.
        emptied = body.filter(pl.col("text") == "")
        is_record = pl.col("head").is_in(records.implode())
        intervals = interval_rules(parsed)
        self._reports.note_warnings(
            log,
            parsed,
            reports,
            # limits that are printed at every start; one that was reached is counted as fd-unavail
            is_message=~pl.col("text").str.contains("maximum number of open|open file limit >"),
            is_start=pl.col("rank").is_not_null(),
        )
        if piece.is_last:
            self._reports.check()
        return to_parsed(
            log,
            "httperf",
            {"client": pl.concat([reports.drop("report"), intervals], how="diagonal").sort("line")},
            records=pl.concat([records, emptied.filter(is_record)["line"]]),
            headers=pl.concat([headers, emptied.filter(~is_record)["line"]]),
            rejects=rejects,
            snapshots=reports.height,
        )

    def finish(self) -> tuple[list[str], list[str]]:
        """Warnings about the log."""
        return self._reports.warnings(), []


def _last_start(parsed: ParsedReport, log: Log) -> int | None:
    """First line of the last report, which may go on in the next piece; None if it is not certain."""
    last = parsed.classified["report"].max()
    if not last:
        return None
    lines = parsed.classified.filter((pl.col("report") == last) & pl.col("rank").is_not_null())
    start = int(lines["line"][0])
    # a line above that ends in a backslash may be joined with it
    above = log.lines.filter(pl.col("line") == start - 1)["text"].str.strip_chars()
    return None if above.str.ends_with("\\").any() else start


def _join_wrapped(body: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines without blanks around them and ``^C``, with wrapped commands joined, and the lines that had a ``^C``.

    Columns: line, text, head (first line of the wrapped command; the line itself otherwise).
    """
    text = body["text"]
    interrupted = body.select("line").clear()
    if text.str.contains("^C", literal=True).any():
        interrupted = body.filter(text.str.contains(r"^\s*(?:\^C)+")).select("line")
        text = text.str.replace(r"^\s*(?:\^C)+", "")
    body = body.select("line", text=text.str.strip_chars())
    if not body["text"].str.ends_with("\\").any():
        return body.with_columns(head="line"), interrupted
    ends = pl.col("text").str.ends_with("\\")
    follows = ends.shift().fill_null(False) & (pl.col("line") == pl.col("line").shift() + 1)
    body = body.with_columns(chain=(~follows.fill_null(False)).cast(pl.Int64).cum_sum())
    is_wrapped = (pl.len() > 1) & pl.col("text").first().str.contains(TEMPLATES[0].pattern)
    head = pl.when(is_wrapped).then(pl.col("line").first()).over("chain")
    body = body.with_columns(head=pl.coalesce(head, "line"))
    unbroken = body.group_by("head", maintain_order=True).agg(
        pl.col("text").str.strip_chars_end("\\").str.join(" ").alias("whole"), pl.len().alias("n")
    )
    text = first_of(
        (pl.col("head") != pl.col("line"), ""),
        (pl.col("n") > 1, pl.col("whole")),
        otherwise=pl.col("text"),
    )
    body = body.join(unbroken, on="head", how="left", maintain_order="left")
    return body.select("line", "head", text=text), interrupted


def _reports(parsed: ParsedReport, interrupted: pl.DataFrame, log: Log) -> pl.DataFrame:
    """One row of ``client`` per report, and its number."""
    base = parsed.reports(REQUIRED)
    replies = to_int64("total.replies")
    statuses = pl.sum_horizontal(
        *(to_int64(f"reply_status.s{i}") for i in range(1, 6)), ignore_nulls=False
    )
    has_replies = pl.coalesce(replies > 0, statuses > 0, pl.lit(False))
    transfer = pl.coalesce(pl.col("reply_time.transfer"), pl.lit("0"))
    reply_s = (to_float64("reply_time.response", -3) + to_float64(transfer, -3)).round(7)
    samples = to_int64("reply_rate.samples")
    # httperf's median is at least 0.5 ms where a connection with a reply has ended
    connection_times = [to_float64(f"connection_time.{name}") for name in ("mean", "median", "max")]
    has_lifetimes = ~pl.all_horizontal(value == 0 for value in connection_times).fill_null(False)
    lifetimes = replies / to_float64("connection_length.length")
    done, all_sessions = to_int64("session_rate.done"), to_int64("session_rate.all")
    parts = ("errors.timeout", "errors.refused", "errors.reset", "more_errors.fd")
    rare_errors = ("errors.socket", "more_errors.addr", "more_errors.ftab", "more_errors.other")
    summed = pl.sum_horizontal(*(to_int64(p) for p in (*parts, *rare_errors)), ignore_nulls=False)
    calls = to_int64(pl.col("command.command").str.extract(r"--num-calls[= ]([0-9]+)"))
    sessions = pl.col("command.command").str.contains(r"--wsess")
    stops = interrupted.select(stop="line")
    base = base.sort("line").join_asof(stops, left_on="last", right_on="stop", strategy="backward")
    flags = (
        (~pl.all_horizontal(*(pl.col(f"has_{name}") for name in REQUIRED)), "incomplete"),
        (pl.any_horizontal(to_int64("errors.errors").is_null(), to_int64("more_errors.fd").is_null()),
         "no-error-counts"),
        (replies == 0, "no-replies"),
        (~has_lifetimes, "no-connection-times"),
        (samples == 0, "no-rate-samples"),
        ((calls > 1).fill_null(False) | sessions.fill_null(False), "several-calls"),
        (to_int64("reply_status.s4") + to_int64("reply_status.s5") > 0, "error-replies"),
        (summed != to_int64("errors.errors"), "errors-do-not-add-up"),
        (pl.col("stop") >= pl.col("line") - 1, "interrupted"),
        ((pl.col("last") == log.last_line) & pl.lit(log.unterminated), "unterminated"),
    )  # fmt: skip
    means = {
        "response_time_mean_s": reply_s,
        "connect_time_mean_s": to_float64("connect_time.connect", -3),
        "connection_time_mean_s": pl.when(has_lifetimes).then(
            to_float64("connection_time.mean", -3)
        ),
        # 0.0 of a single connection is no deviation
        "connection_time_stddev_s": pl.when(
            has_lifetimes & (lifetimes >= 1.5).fill_null(True)
        ).then(to_float64("connection_time.stddev", -3)),
        "reply_bytes_mean": to_float64("reply_size.total"),
    }
    return base.select(
        "report",
        pl.lit("httperf").alias("tool"),
        pl.lit("summary").alias("kind"),
        "line",
        to_float64("total.elapsed").alias("elapsed_s"),
        _offered_rate(pl.col("command.command")).alias("offered_rate_per_s"),
        to_int64("total.connections").alias("connections"),
        to_int64("total.requests").alias("requests"),
        replies.alias("replies"),
        replies.alias("completions"),
        pl.when(samples > 0).then(to_float64("reply_rate.mean")).alias("throughput_per_s"),
        all_sessions.alias("sessions"),
        done.alias("sessions_completed"),
        to_float64("session_rate.mean").alias("sessions_per_s"),
        pl.when(done > 0).then(to_float64("session_lifetime.s")).alias("session_time_mean_s"),
        # 0.0 without replies is not a measurement
        *(pl.when(has_replies | (mean > 0)).then(mean).alias(name) for name, mean in means.items()),
        to_int64("errors.errors").alias("errors"),
        to_int64("errors.timeout").alias("errors_timeout"),
        to_int64("errors.refused").alias("errors_refused"),
        to_int64("errors.reset").alias("errors_reset"),
        to_int64("more_errors.fd").alias("errors_fd_unavailable"),
        pl.sum_horizontal(*(to_int64(name) for name in rare_errors), ignore_nulls=False).alias("errors_other"),
        to_float64("cpu.user").alias("cpu_user_percent"),
        to_float64("cpu.system").alias("cpu_system_percent"),
        *(to_int64(f"reply_status.s{i}").alias(f"replies_{i}xx") for i in range(1, 6)),
        join_flags(flags).alias("flags"),
    )  # fmt: skip


def _offered_rate(command: pl.Expr) -> pl.Expr:
    """Connections per second by the command line; null without a rate (sequential connections)."""
    rate = to_float64(command.str.extract(rf"--rate[= ]({NUMBER})"))
    period = command.str.extract(r"--period[= ](\S+)")
    mean = to_float64(period.str.extract(rf"^[de]?({NUMBER})$"))
    both = period.str.extract_groups(rf"^u({NUMBER}),({NUMBER})$").struct
    mean = pl.coalesce(mean, (to_float64(both.field("1")) + to_float64(both.field("2"))) / 2)
    rate = pl.coalesce(rate, 1 / mean)
    return pl.when(rate.is_finite() & (rate > 0)).then(rate)


def interval_rules(parsed: ParsedReport) -> pl.DataFrame:
    """One row of ``client`` per ``reply-rate`` line, with the ``session-rate`` of the same sample."""
    number = pl.int_range(1, pl.len() + 1).over("report").alias("number")
    replies, sessions = (parsed.lines(name).with_columns(number) for name in INTERVALS)
    rows = replies.join(
        sessions, on=["report", "number"], how="full", coalesce=True, suffix="_session"
    )
    return rows.select(
        pl.lit("httperf").alias("tool"),
        pl.lit("interval").alias("kind"),
        pl.coalesce("line", "line_session").alias("line"),
        (pl.col("number") * SAMPLE_S).cast(pl.Float64).alias("elapsed_s"),
        to_float64("rate").alias("throughput_per_s"),
        to_float64("rate_session").alias("sessions_per_s"),
    )
