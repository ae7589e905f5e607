r"""access.log: Apache's access log in the common and the combined form, one row a request.

::

    192.0.2.7 - - [22/Nov/2026:21:36:00 +0000] "GET /index.html HTTP/1.1" 200 10701 "-" "httperf/0.9.0"

A virtual host's name and port may stand before the client (``vhost_combined``).

Table ``requests`` (columns and units: pipeline/tables.py), ``log`` = ``access``
    ``time`` UTC; ``client`` address or name; ``command`` the HTTP method;
    ``target``, ``referer`` and ``user_agent`` as logged, escapes (``\"``, ``\x16``) kept; ``-``
    (Apache's way to say none) is null, also for ``response_bytes``.

``flags``
    no-request            the request is ``-`` or empty (a connection that sent none: status 408)
    malformed-request     no ``METHOD target``; ``target`` holds all of it, ``command`` is null
    unescaped-quote       quotes in the request that nothing escapes (Apache before 2.0.46)
    no-protocol           no HTTP version after the target (HTTP/0.9)
    no-time               a date or offset that does not exist; ``time`` is null
    extra-fields          more fields than the two forms have; they are not read
    malformed-tail        a quote that does not close after the size: the line may be cut or spliced
    unterminated          the log's last line has no end: its last field may be cut

Caveats
    - Apache writes a line when the request is done, and ``%t`` says when it began, in whole seconds:
      lines are not in the order of ``time``, and at a window's edge the second decides.
    - A line whose status is no three digits is a reject.

Example:
    >>> from pipeline.parse.log import log_of
    >>> line = '::1 - ann [01/Mar/2026:00:30:00 +0100] "GET /a HTTP/1.0" 304 -\n'
    >>> parse(log_of(line, "access.log")).tables["requests"].select(
    ...     pl.col("time").dt.to_string(), "user", "target", "status", "response_bytes").rows()
    [('2026-02-28 23:30:00.000000000+00:00', 'ann', '/a', 304, None)]
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from pipeline.parse.errors import UnknownFormError
from pipeline.parse.fields import joined_flags, offset_minutes, utc_ns
from pipeline.parse.log import Log, Parsed, finish

_QUOTED = r'((?:[^"\\]|\\.)*)'
_HEAD = (
    r"^(?:[A-Za-z0-9._-]+:[0-9]{1,5} |\[[0-9A-Fa-f:.]+\]:[0-9]{1,5} )?"  # %v:%p of vhost_combined
    r'([^\s"]+) [^\s"]+ ((?:[^"\\\[]|\\.)+?) '  # %h %l %u; a user's name may hold blanks
    r"\[([0-9]{1,2}/[A-Za-z]{3}/[0-9]{4}:[0-9][0-9]:[0-9][0-9]:[0-9][0-9]) ([+-])([0-9][0-9])([0-9][0-9])\] "
)
FORM = (
    rf'{_HEAD}"{_QUOTED}" ([0-9]{{3}}) ([0-9]+|-)'
    rf'(?: "{_QUOTED}" "{_QUOTED}")?'
    r"(\s.*)?$"
)
OLD_FORM = (
    rf'{_HEAD}"([A-Z]+ .* HTTP/[0-9][.][0-9])" ([0-9]{{3}}) ([0-9]+|-)(?: "([^"]*)" "([^"]*)")?()$'
)
"""Apache before 2.0.46 escaped nothing: a request with quotes in it, up to its protocol."""

SPLICED = r"\[[0-9]{1,2}/[A-Z][a-z]{2}/[0-9]{4}:"
"""Another line's date within a request: half a line before a whole one."""

_PARTS = (
    "client", "user", "date", "sign", "hours", "minutes", "request", "status", "response_bytes",
    "referer", "user_agent", "rest",
)  # fmt: skip
_REQUEST = r"^([A-Z][A-Z_-]*) (.*?)(?: ([A-Z]+/[0-9]+(?:\.[0-9]+)?))?$"


def parse(
    log: Log,
    *,
    date: dt.date | str | None = None,
    tz: str | None = None,
    tool_version: str | None = None,
) -> Parsed:
    """Read an access log. Its times carry their offset, so ``date`` and ``tz`` change nothing."""
    body = log.body()
    parts = pl.col("text").str.extract_groups(FORM).struct.rename_fields(list(_PARTS))
    frame = body.select("line", "sentinel", parts.alias("parts")).unnest("parts")
    frame = _with_old_form(frame, body)
    fits = pl.col("status").is_not_null() & (
        (pl.col("response_bytes") == "-")
        | pl.col("response_bytes").cast(pl.Int64, strict=False).is_not_null()
    )
    rejects = frame.filter(~fits.fill_null(False)).select(
        "line",
        reason=pl.when(pl.col("sentinel") == "bad")
        .then(pl.lit("broken sentinel"))
        .otherwise(pl.lit("not a line of the common or combined log form")),
    )
    if body.height and rejects.height == body.height:
        raise UnknownFormError(
            log.file,
            "no line is in the common or combined form of an access log",
            int(body["line"][0]),
        )
    rows = _rows(frame.filter(fits), log)
    return finish(
        log,
        "access",
        {"requests": rows},
        records=rows["line"],
        headers=pl.Series(dtype=pl.Int64),
        rejects=rejects,
        snapshots=0,
    )


def _with_old_form(frame: pl.DataFrame, body: pl.DataFrame) -> pl.DataFrame:
    """``frame`` where lines that are not in the form are tried with quotes that nothing escapes."""
    missed = frame.filter(pl.col("status").is_null()).select("line")
    if not missed.height:
        return frame
    parts = pl.col("text").str.extract_groups(OLD_FORM).struct.rename_fields(list(_PARTS))
    found = (
        body.join(missed, on="line", how="semi")
        .select("line", "sentinel", parts.alias("parts"))
        .unnest("parts")
        .filter(pl.col("status").is_not_null() & ~pl.col("request").str.contains(SPLICED))
    )
    if not found.height:
        return frame
    return pl.concat([frame.join(found, on="line", how="anti"), found]).sort("line")


def _rows(frame: pl.DataFrame, log: Log) -> pl.DataFrame:
    """The lines in the form, as rows of ``requests``."""
    request = pl.col("request").str.extract_groups(_REQUEST).struct
    frame = frame.with_columns(
        request.field("1").alias("command"),
        request.field("2").alias("aim"),
        request.field("3").alias("protocol"),
        _time().alias("time"),
    )
    none = pl.col("request").is_in(["-", ""])
    malformed = ~none & (pl.col("command").is_null() | (pl.col("aim") == ""))
    last = (pl.col("line") == log.lines.height) & pl.lit(log.unterminated)
    flags = (
        (none, "no-request"),
        (_has_bare_quote(pl.col("request")), "unescaped-quote"),
        (malformed, "malformed-request"),
        (~none & ~malformed & pl.col("protocol").is_null(), "no-protocol"),
        (pl.col("time").is_null(), "no-time"),
        (pl.col("rest").str.contains('^\\s+[^"]*$').fill_null(False)
         & (pl.col("rest").str.strip_chars() != ""), "extra-fields"),
        (pl.col("rest").str.contains('"', literal=True).fill_null(False), "malformed-tail"),
        (last, "unterminated"),
    )  # fmt: skip
    return frame.select(
        pl.lit("access").alias("log"),
        "line",
        "time",
        "client",
        pl.col("user").replace("-", None),
        pl.when(malformed | none).then(None).otherwise("command").alias("command"),
        pl.when(none)
        .then(None)
        .when(malformed)
        .then(pl.col("request"))
        .otherwise("aim")
        .alias("target"),
        pl.when(malformed | none).then(None).otherwise("protocol").alias("protocol"),
        pl.col("status").cast(pl.Int64),
        pl.col("response_bytes").replace("-", None).cast(pl.Int64),
        pl.col("referer").replace("-", None),
        pl.col("user_agent").replace("-", None),
        joined_flags(flags).alias("flags"),
    )


def _has_bare_quote(text: pl.Expr) -> pl.Expr:
    """Whether a quote stands in the text that no backslash escapes."""
    return text.str.replace_all(r"\\.", "").str.contains('"', literal=True)


def _time() -> pl.Expr:
    """``22/Nov/2026:21:36:00`` with its offset as UTC; null for what is no date."""
    local = pl.col("date").str.to_datetime("%d/%b/%Y:%H:%M:%S", time_unit="us", strict=False)
    offset = offset_minutes(pl.col("sign"), pl.col("hours"), pl.col("minutes"))
    return utc_ns(local - pl.duration(minutes=offset, time_unit="us"))
