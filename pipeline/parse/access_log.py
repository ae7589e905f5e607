r"""access.log: Apache's access log in the common and the combined form, one row per request.

::

    192.0.2.7 - - [22/Nov/2026:21:36:00 +0000] "GET /index.html HTTP/1.1" 200 10701 "-" "httperf/0.9.0"

A virtual host's name and port may stand before the client (``vhost_combined``).

Table ``requests`` (columns and units: docs/reference/tables.md), ``log`` = ``access``
    ``time`` UTC; ``client`` address or name; ``command`` the HTTP method;
    ``target``, ``referer`` and ``user_agent`` as logged, with escapes (``\"``, ``\x16``) kept; ``-``
    (Apache's mark for no value) is null, also for ``response_bytes``.

``flags``
    no-request            the request is ``-`` or empty (a connection that sent none: status 408)
    malformed-request     no ``METHOD target``; ``target`` holds all of it, ``command`` is null
    unescaped-quote       unescaped quotes in the request (Apache before 2.0.46)
    no-protocol           no HTTP version after the target (HTTP/0.9)
    no-time               a date or offset that does not exist; ``time`` is null
    extra-fields          more fields than the two forms have; they are not read
    malformed-tail        a quote that does not close after the size: the line may be cut or spliced
    unterminated          the log's last line has no end: its last field may be cut

Caveats
    - Apache writes a line at the end of a request, and ``%t`` is its start in whole seconds: lines are not
      in the order of ``time``, and the limits of a window are resolved to a second.
    - A line whose status does not have three digits is a reject.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> line = '::1 - ann [01/Mar/2026:00:30:00 +0100] "GET /a HTTP/1.0" 304 -\n'
    >>> parse(log_from_text(line, "access.log")).tables["requests"].select(
    ...     pl.col("time").dt.to_string(), "user", "target", "status", "response_bytes").rows()
    [('2026-02-28 23:30:00.000000000+00:00', 'ann', '/a', 304, None)]
"""

from __future__ import annotations

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, join_flags, offset_minutes, to_int64, to_utc_ns
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed, split_rejects, to_parsed

_QUOTED = r'(?:[^"\\]|\\.)*'
_HEAD = (
    r"^(?:[A-Za-z0-9._-]+:[0-9]{1,5} |\[[0-9A-Fa-f:.]+\]:[0-9]{1,5} )?"  # %v:%p of vhost_combined
    # %h %l %u; a user's name may hold blanks
    r'(?P<client>[^\s"]+) [^\s"]+ (?P<user>(?:[^"\\\[]|\\.)+?) '
    r"\[(?P<date>[0-9]{1,2}/[A-Za-z]{3}/[0-9]{4}:[0-9][0-9]:[0-9][0-9]:[0-9][0-9])"
    r" (?P<sign>[+-])(?P<hours>[0-9][0-9])(?P<minutes>[0-9][0-9])\] "
)
_RESULT = r"(?P<status>[0-9]{3}) (?P<response_bytes>[0-9]+|-)"
PATTERN = (
    rf'{_HEAD}"(?P<request>{_QUOTED})" {_RESULT}'
    rf'(?: "(?P<referer>{_QUOTED})" "(?P<user_agent>{_QUOTED})")?(?P<rest>\s.*)?$'
)
UNESCAPED_PATTERN = (
    rf'{_HEAD}"(?P<request>[A-Z]+ .* HTTP/[0-9][.][0-9])" {_RESULT}'
    r'(?: "(?P<referer>[^"]*)" "(?P<user_agent>[^"]*)")?(?P<rest>)$'
)
"""Apache before 2.0.46 did not escape quotes: the request ends at its protocol."""

SPLICED = r"\[[0-9]{1,2}/[A-Z][a-z]{2}/[0-9]{4}:"
"""The date of another line within a request: a truncated line joined with the next one."""

_REQUEST = (
    r"^(?P<command>[A-Z][A-Z_-]*) (?P<aim>.*?)(?: (?P<protocol>[A-Z]+/[0-9]+(?:\.[0-9]+)?))?$"
)


def parse(log: Log, **_options: object) -> Parsed:
    """Parse an access log. Its times have their offset, so ``date`` and ``tz`` are not used."""
    body = log.body()
    frame = _with_unescaped_quotes(_match(body, PATTERN), body)
    is_size = (pl.col("response_bytes") == "-") | to_int64("response_bytes").is_not_null()
    misfits = pl.col("status").is_null() | ~is_size
    reason = first_of(
        (misfits & (pl.col("sentinel") == "bad"), texts.MALFORMED_TICK),
        (misfits, texts.NOT_ACCESS_FORMAT),
    )
    frame, rejects = split_rejects(frame, reason)
    if body.height and rejects.height == body.height:
        raise UnknownFormatError(
            log.file,
            texts.NOT_ACCESS_LOG,
            int(body["line"][0]),
        )
    requests = {"requests": _rows(frame, log)}
    return to_parsed(log, "access", requests, records=frame["line"], rejects=rejects)


def _match(body: pl.DataFrame, pattern: str) -> pl.DataFrame:
    """The groups of a pattern for each line."""
    return body.select(
        "line", "sentinel", pl.col("text").str.extract_groups(pattern).struct.unnest()
    )


def _with_unescaped_quotes(frame: pl.DataFrame, body: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with lines that did not match tried again with unescaped quotes."""
    missed = frame.filter(pl.col("status").is_null()).select("line")
    if not missed.height:
        return frame
    matched = _match(body.join(missed, on="line", how="semi"), UNESCAPED_PATTERN).filter(
        pl.col("status").is_not_null() & ~pl.col("request").str.contains(SPLICED)
    )
    return pl.concat([frame.join(matched, on="line", how="anti"), matched]).sort("line")


def _rows(frame: pl.DataFrame, log: Log) -> pl.DataFrame:
    """The matching lines as rows of ``requests``."""
    request = pl.col("request").str.extract_groups(_REQUEST)
    frame = frame.with_columns(request.struct.unnest(), time=_time())
    none = pl.col("request").is_in(["-", ""])
    malformed = ~none & (pl.col("command").is_null() | (pl.col("aim") == ""))
    flags = (
        (none, "no-request"),
        (_has_bare_quote(pl.col("request")), "unescaped-quote"),
        (malformed, "malformed-request"),
        (~none & ~malformed & pl.col("protocol").is_null(), "no-protocol"),
        (pl.col("time").is_null(), "no-time"),
        (pl.col("rest").str.contains('^\\s+[^"]*$').fill_null(False)
         & (pl.col("rest").str.strip_chars() != ""), "extra-fields"),
        (pl.col("rest").str.contains('"', literal=True).fill_null(False), "malformed-tail"),
        (log.is_unterminated_line, "unterminated"),
    )  # fmt: skip
    return frame.select(
        pl.lit("access").alias("log"),
        "line",
        "time",
        "client",
        pl.col("user", "referer", "user_agent").replace("-", None),
        pl.when(~(malformed | none)).then(pl.col("command", "protocol")),
        to_int64(pl.col("status", "response_bytes")),
        target=first_of((~none & malformed, pl.col("request")), (~none, pl.col("aim"))),
        flags=join_flags(flags),
    )


def _has_bare_quote(text: pl.Expr) -> pl.Expr:
    """Whether the text has an unescaped quote."""
    return text.str.replace_all(r"\\.", "").str.contains('"', literal=True)


def _time() -> pl.Expr:
    """``22/Nov/2026:21:36:00`` with its offset as UTC; null for what is no date."""
    local = pl.col("date").str.to_datetime("%d/%b/%Y:%H:%M:%S", time_unit="us", strict=False)
    offset = offset_minutes(pl.col("sign"), pl.col("hours"), pl.col("minutes"))
    return to_utc_ns(local - pl.duration(minutes=offset, time_unit="us"))
