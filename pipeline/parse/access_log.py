r"""access.log: the access log of a web server, one row per request.

::

    192.0.2.7 - - [22/Nov/2026:21:36:00 +0000] "GET /index.html HTTP/1.1" 200 10701 "-" "httperf/0.9.0"

Recognized: Apache's common and combined form, with a virtual host's name (and port) before the client
(``%v %h %l %u``, ``vhost_combined``), nginx's ``main``, each also with nginx's ``$request_time`` or Traefik's duration
at its end (:mod:`access_plain`), and JSON, one object per line (:mod:`access_json`). Any other form: ``log_format``, as
Apache's LogFormat or nginx's log_format states it (:mod:`access_format`).

Table ``requests`` (columns and units: docs/reference/tables.md), ``log`` = ``access``
    ``time`` UTC; ``client`` address or name; ``command`` the HTTP method;
    ``target``, ``referer`` and ``user_agent`` as logged, with escapes (``\"``, ``\x16``) kept; ``-``
    (the mark for no value) is null, also for ``response_bytes``. ``response_time_s`` is what the server itself
    measured: ``%D``, ``%T``, ``%{ms}T`` or ``$request_time``; ``upstream_response_time_s`` the sum of nginx's list.

``flags``
    no-request            the request is ``-`` or empty (a connection that sent none: status 408)
    malformed-request     no ``METHOD target``; ``target`` holds all of it, ``command`` is null
    unescaped-quote       unescaped quotes in the request (Apache before 2.0.46)
    no-protocol           no HTTP version after the target (HTTP/0.9)
    no-time               a date or offset that does not exist; ``time`` is null
    no-response-time      the format has a response time, and the line has none that can be (negative, overflowed)
    extra-fields          more fields than the known forms have; they are not read
    malformed-tail        a quote that does not close, or another line's date, after the size: cut or spliced
    unterminated          the log's last line has no end: its last field may be cut

Caveats
    - Client, identity and user are recognized by their form and number. A line in which they cannot be separated (a
      logger's prefix, a user's name with blanks beside a virtual host's) is a reject.
    - Apache writes a line at the end of a request, and ``%t`` is its start in whole seconds: lines are not
      in the order of ``time``, and the limits of a window are resolved to a second. nginx's times are of the end.
    - A line whose status does not have three digits is a reject.
    - A whole number after the combined form may be ``%D`` or ``%T``: it is not read without ``log_format``.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> line = '::1 - ann [01/Mar/2026:00:30:00 +0100] "GET /a HTTP/1.0" 304 -\n'
    >>> parse(log_from_text(line, "access.log")).tables["requests"].select(
    ...     pl.col("time").dt.to_string(), "user", "target", "status", "response_bytes").rows()
    [('2026-02-28 23:30:00.000000000+00:00', 'ann', '/a', 304, None)]
"""

from __future__ import annotations

import polars as pl

from pipeline.parse import access_directives as directives
from pipeline.parse import access_json, access_plain, texts
from pipeline.parse.access_fields import (
    has_no_offset,
    invalid_clients,
    is_no_duration,
    sum_durations_s,
    to_duration_s,
    to_time,
)
from pipeline.parse.access_format import Format, FormatError, compile_format
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, join_flags, to_int64
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed, split_rejects, to_parsed
from pipeline.parse.prefixes import strip_prefixes

_REQUEST = (
    r"^(?P<command>[A-Z][A-Z_-]*) (?P<target>.*?)(?: (?P<protocol>[A-Z]+/[0-9]+(?:\.[0-9]+)?))?$"
)
_PROTOCOL = r"\bHTTP/[0-9]"
_TEXT_FIELDS = ("client", "user", "referer", "user_agent")
_FIELDS = (
    *_TEXT_FIELDS, "request", "command", "target", "protocol", "status", "response_bytes", "upstream", "extra",
)  # fmt: skip


def parse(
    log: Log, *, tz: str | None = None, log_format: str | None = None, **_options: object
) -> Parsed:
    """Parse an access log.

    Parameters
    ----------
    log : Log
    tz : str, optional
        Time zone of times that are logged without an offset; UTC if None, with a warning.
    log_format : str, optional
        The format of its lines (:func:`access_format.compile_format`).

    Returns
    -------
    Parsed

    Raises
    ------
    UnknownFormatError
        If the format has an unknown directive, or no line is in it.
    """
    if log_format is not None:
        return _parse_given(log, tz, log_format)
    body = log.body()
    if body.height and access_json.is_json(body):
        inner = access_json.docker_lines(body)
        if inner is None:
            return _parse_json(log, body, tz)
        body = inner
    return _parse_plain(log, body, tz)


# -- three kinds of logs ------------------------------------------------------------------------------------


def _parse_plain(log: Log, body: pl.DataFrame, tz: str | None) -> Parsed:
    """The well-known forms."""
    frame = access_plain.match_lines(body)
    frame, warnings = access_plain.with_response_times(frame)
    has_requests = bool(body["text"].head(20).str.contains(_PROTOCOL).any())
    refusal = texts.OTHER_ACCESS_FORMAT if has_requests else texts.NOT_ACCESS_LOG
    return _to_parsed(log, frame, refusal, tz, warnings)


def _parse_given(log: Log, tz: str | None, log_format: str) -> Parsed:
    """A log in a format that is given."""
    try:
        form = compile_format(log_format)
    except FormatError as error:
        raise UnknownFormatError(log.file, str(error)) from error
    groups = form.groups
    frame = _match_format(log, form)
    if frame.height and frame["reason"].null_count() == 0:
        # not before: a format may begin as a prefix does, with a date or a name
        log = strip_prefixes(log, "access")
        frame = _match_format(log, form)
    duration_field = next((name for name in directives.DURATIONS if name in groups), None)
    computed = {"time_text": _joined_time(groups)}
    if "response_bytes" not in groups:
        byte_fields = [name for name in (directives.BODY_BYTES, directives.SENT_BYTES) if name in groups]  # fmt: skip
        computed["response_bytes"] = pl.coalesce(*byte_fields, pl.lit(None, pl.String))
    if directives.PATH in groups and directives.TARGET not in groups:
        parts = [name for name in (directives.PATH, directives.QUERY) if name in groups]
        computed["target"] = pl.concat_str(*parts)
    if directives.FORWARDED in groups and directives.CLIENT not in groups:
        computed["client"] = pl.col(directives.FORWARDED).str.extract(r"^([^,]*)")
    if duration_field is not None:
        text = pl.col(duration_field)
        computed["duration_s"] = to_duration_s(text, directives.DURATIONS[duration_field])
        computed["is_bad_duration"] = is_no_duration(text)
    frame = frame.with_columns(**computed)
    return _to_parsed(log, frame, texts.NO_LINE_IN_FORMAT, tz, list(form.warnings))


def _match_format(log: Log, form: Format) -> pl.DataFrame:
    """The fields of each line in a format, and ``reason``: why the line is not in it."""
    groups = pl.col("text").str.extract_groups(form.pattern).struct.unnest()
    frame = log.body().select("line", "sentinel", groups)
    # a group may match nothing, but in a line that does not match all of them are null
    no_match = pl.all_horizontal(pl.col(name).is_null() for name in form.groups)
    cases = [(no_match, texts.NOT_GIVEN_FORMAT)]
    if directives.CLIENT in form.groups:
        invalid = pl.col("client").is_in(invalid_clients(frame["client"]).implode())
        cases.append((invalid, texts.AMBIGUOUS_CLIENT))
    if directives.USER in form.groups:
        # blanks in the user's name may be other fields than the format has
        user, identity = pl.col(directives.USER), pl.lit("-")
        if directives.IDENTITY in form.groups:
            identity = pl.col(directives.IDENTITY)
        has_other_fields = user.str.contains(r"(?:^| )-(?: |$)") | (identity != "-")
        is_uncertain = user.str.contains(" ", literal=True) & has_other_fields
        cases.append((is_uncertain, texts.AMBIGUOUS_CLIENT))
    return frame.with_columns(reason=first_of(*cases))


def _parse_json(log: Log, body: pl.DataFrame, tz: str | None) -> Parsed:
    frame = access_json.json_fields(body)
    has_request = pl.any_horizontal(pl.col("request", "target").is_not_null())
    is_request = has_request & pl.col("status").str.contains("^[0-9]{3}$")
    no_object = pl.all_horizontal(pl.col(*access_json.COLUMNS).is_null())
    reason = first_of(
        (no_object, texts.NOT_JSON_OBJECT),
        (pl.col("is_other_logger"), texts.NOT_ACCESS_LOGGER),
        (~is_request.fill_null(False), texts.NOT_JSON_REQUEST),
    )
    size = pl.col("response_bytes")
    frame = frame.with_columns(
        reason=reason, time_text="time",
        response_bytes=pl.when(size.str.contains("^[0-9]+$")).then(size),
        client=pl.col("client").str.replace(r"^(?:\[([0-9A-Fa-f:.]+)\]|([^:]+)):[0-9]+$", "$1$2"),
    )  # fmt: skip
    unread = frame.filter(
        pl.col("reason").is_null() & pl.col("duration_s").is_null() & pl.col("duration_text").is_not_null()
    ).height  # fmt: skip
    warnings = [texts.ambiguous_duration(unread)] if unread else []
    return _to_parsed(
        log, frame.drop("time", "is_other_logger"), texts.NO_JSON_REQUEST, tz, warnings
    )


def _joined_time(groups: frozenset[str]) -> pl.Expr:
    """The parts of a time (``access_directives.TIME_PARTS``) as one text: seconds since 1970, or ISO 8601."""

    def after(mark: str, name: str) -> list[pl.Expr]:
        return [pl.lit(mark), pl.col(name)] if name in groups else []

    if "epoch" in groups:
        return pl.concat_str(pl.col("epoch"), *after(".", "fraction"))
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    numbers = {name: f"{number:02}" for number, name in enumerate(months, 1)}
    month = pl.col("month") if "month" in groups else None
    if "month_name" in groups:
        month = pl.col("month_name").replace_strict(numbers, default=None, return_dtype=pl.String)
    if month is None or not {"year", "day", "hour", "minute", "second"} <= groups:
        return pl.lit(None, pl.String)
    day = pl.col("day").str.strip_chars().str.zfill(2)
    return pl.concat_str(
        "year", pl.lit("-"), month, pl.lit("-"), day, pl.lit("T"), "hour", pl.lit(":"), "minute",
        pl.lit(":"), "second", *after(".", "fraction"), *after("", "offset"),
    )  # fmt: skip


# -- rows ---------------------------------------------------------------------------------------------------


def _to_parsed(
    log: Log, frame: pl.DataFrame, refusal: str, tz: str | None, warnings: list[str]
) -> Parsed:
    """The result for fields as text; lines with a ``reason``, or a size that is no number, are rejects."""
    if "response_bytes" in frame.columns:
        size = pl.col("response_bytes")
        is_too_large = size.is_not_null() & (size != "-") & to_int64(size).is_null()
        reason = first_of((is_too_large, texts.TOO_LARGE), otherwise=pl.col("reason"))
        frame = frame.with_columns(reason=reason)
    is_bad_tick = pl.col("reason").is_not_null() & (pl.col("sentinel") == "bad")
    frame, rejects = split_rejects(
        frame, first_of((is_bad_tick, texts.MALFORMED_TICK), otherwise=pl.col("reason"))
    )
    if rejects.height and not frame.height:
        if rejects["reason"][0] == texts.AMBIGUOUS_CLIENT:
            refusal = f"{texts.AMBIGUOUS_CLIENT}; {texts.GIVE_FORMAT}"
        raise UnknownFormatError(log.file, refusal, int(rejects["line"][0]))
    rows, has_local_times = _rows(frame, log, tz)
    if has_local_times and tz is None:
        warnings = [*warnings, texts.UTC_ASSUMED]
    warnings = [f"{log.file}: {text}" for text in warnings]
    return to_parsed(
        log, "access", {"requests": rows}, records=frame["line"], rejects=rejects, warnings=warnings
    )


def _rows(frame: pl.DataFrame, log: Log, tz: str | None) -> tuple[pl.DataFrame, bool]:
    """Rows of ``requests``, and whether times have no offset."""
    has_request = any(name in frame.columns for name in ("request", "target"))
    is_quoted_text = "rest" in frame.columns
    missing = [name for name in _FIELDS if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    if "duration_s" not in frame.columns:
        frame = frame.with_columns(duration_s=pl.lit(None, pl.Float64), is_bad_duration=False)
    text = pl.col("time_text")
    times = frame.select(text.unique()).with_columns(
        time=to_time(text, tz), is_local=has_no_offset(text)
    )
    has_local_times = bool(times["is_local"].any())
    whole = pl.col("request").str.extract_groups(_REQUEST).struct
    parts = {
        name: pl.coalesce(whole.field(name), pl.when(pl.col("request").is_null()).then(name))
        for name in ("command", "target", "protocol")
    }
    frame = frame.with_columns(**parts).join(
        times, on="time_text", how="left", maintain_order="left", nulls_equal=True
    )
    request = pl.col("request")
    no_target = request.is_null() & pl.col("target").is_null()
    none = request.is_in(["-", ""]).fill_null(False) | no_target
    malformed = ~none & (pl.col("command").is_null() | (pl.col("target") == "").fill_null(True))
    flags = (
        (none & pl.lit(has_request), "no-request"),
        (_has_bare_quote(request) & pl.lit(is_quoted_text), "unescaped-quote"),
        (malformed, "malformed-request"),
        (~none & ~malformed & pl.col("protocol").is_null(), "no-protocol"),
        (pl.col("time").is_null(), "no-time"),
        (pl.col("is_bad_duration"), "no-response-time"),
        (pl.col("extra") == "fields", "extra-fields"),
        (pl.col("extra") == "malformed", "malformed-tail"),
        (log.is_unterminated_line, "unterminated"),
    )
    rows = frame.select(
        pl.lit("access").alias("log"),
        "line",
        "time",
        pl.col(_TEXT_FIELDS).replace(["-", '""'], [None, ""]),
        pl.when(~(malformed | none)).then(pl.col("command", "protocol")),
        to_int64(pl.col("status", "response_bytes")),
        target=first_of((~none & malformed, pl.coalesce("request", "target")), (~none, pl.col("target"))),
        response_time_s="duration_s",
        upstream_response_time_s=_upstream_s(frame),
        flags=join_flags(flags),
    )  # fmt: skip
    return rows, has_local_times


def _upstream_s(frame: pl.DataFrame) -> pl.Expr:
    has_any = frame["upstream"].null_count() < frame.height
    return sum_durations_s(pl.col("upstream")) if has_any else pl.lit(None, pl.Float64)


def _has_bare_quote(text: pl.Expr) -> pl.Expr:
    """Whether the text has an unescaped quote."""
    return text.str.replace_all(r"\\.", "").str.contains('"', literal=True)
