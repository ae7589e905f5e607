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

import re
from dataclasses import replace

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
from pipeline.parse.access_format import Format, FormatError, compile_format, joined_time
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, join_flags, to_int64
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed, split_rejects, to_parsed
from pipeline.parse.pieces import Piece
from pipeline.parse.prefixes import strip_prefixes
from pipeline.parse.reader import is_fast, read_whole

_REQUEST = (
    r"^(?P<command>[A-Z][A-Z_-]*) (?P<target>.*?)(?: (?P<protocol>[A-Z]+/[0-9]+(?:\.[0-9]+)?))?$"
)
MIN_LINES_BY_WORDS = 1000
"""Lines from which on it is faster to read the usual request without groups."""
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
    return read_whole(Reader(log.file, tz=tz, log_format=log_format), log)


class Reader:
    """Reads an access log piece by piece (:mod:`reader`).

    The form of all lines is decided by the first ones. Where other lines decide what a line means, the whole log is
    surveyed if that is so for the first ones, else lines are held back until it is decided.
    """

    START = re.compile(rb"^", re.MULTILINE)
    NEEDS_SURVEY = True

    def __init__(
        self,
        file: str,
        *,
        date: object = None,
        tz: str | None = None,
        tool_version: str | None = None,
        log_format: str | None = None,
    ):
        self.file, self.tz = file, tz
        self._held: list[tuple[pl.DataFrame, pl.DataFrame]] = []
        """Lines, and their fields, of which others decide what they mean."""
        self._head: pl.DataFrame | None = None
        """The first lines, until there are enough of them."""
        self._form: _PlainLog | access_json.JsonForm | _GivenLog | None = None
        self._is_surveyed: bool | None = None
        self._has_rows = False
        self._first_reject: tuple[int, str] | None = None
        self._has_local_times = False
        if log_format is not None:
            self._form, self._is_surveyed = _GivenLog(file, log_format), False

    def survey(self, piece: Piece) -> None:
        """Decide the form, and see what all lines say about it if that is needed."""
        if (piece.is_first and piece.is_last) or self._is_surveyed is False:
            return
        body = piece.log.body()
        form = self._form
        if form is None:
            form = self._decided(body, piece.is_last)
            if form is None:
                return
            body, self._head = self._head, None
            head = form.match(body.head(access_json.HEAD_LINES))
            form.observe(head)
            self._is_surveyed = form.is_open(head)
        if self._is_surveyed:
            form.observe(form.match(body))

    def _decided(
        self, body: pl.DataFrame, is_last: bool
    ) -> _PlainLog | access_json.JsonForm | None:
        """The form by the lines so far; None if more are needed."""
        self._head = body if self._head is None else pl.concat([self._head, body])
        if self._head.height < access_json.HEAD_LINES and not is_last:
            return None
        head = self._head
        self._form = (
            access_json.JsonForm() if head.height and access_json.is_json(head) else _PlainLog(head)
        )
        if isinstance(self._form, access_json.JsonForm) and access_json.is_docker(head["text"][0]):
            self._form = _PlainLog(head, is_docker=True)
        return self._form

    def read(self, piece: Piece) -> Parsed:
        """The rows of a piece, and of those before it that were held back."""
        log = piece.log
        body = log.body()
        form = self._form or self._decided(body, is_last=True)
        assert form is not None
        frame = form.match(body)
        if not self._is_surveyed:
            form.observe(frame)
        self._held.append((log.lines, frame))
        is_decided = piece.is_last or self._is_surveyed
        if not is_decided and any(form.is_open(fields) for _, fields in self._held):
            log = replace(log, lines=log.lines.clear())
            return self._to_parsed(log, form.with_values(frame.clear()))
        if len(self._held) > 1:
            log = replace(log, lines=pl.concat([lines for lines, _ in self._held]))
            frame = pl.concat([frame for _, frame in self._held])
        self._held = []
        if piece.is_last:
            log, frame = form.last_try(log, frame)
        parsed = self._to_parsed(log, form.with_values(frame))
        if piece.is_last and self._first_reject is not None and not self._has_rows:
            line, reason = self._first_reject
            refusal = form.refusal
            if reason == texts.AMBIGUOUS_CLIENT:
                refusal = f"{texts.AMBIGUOUS_CLIENT}; {texts.GIVE_FORMAT}"
            raise UnknownFormatError(self.file, refusal, line)
        return parsed

    def finish(self) -> tuple[list[str], list[str]]:
        """Warnings about the log."""
        warnings = list(self._form.warnings()) if self._form is not None else []
        if self._has_local_times and self.tz is None:
            warnings.append(texts.UTC_ASSUMED)
        return [f"{self.file}: {text}" for text in warnings], []

    def _to_parsed(self, log: Log, frame: pl.DataFrame) -> Parsed:
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
        if rejects.height and self._first_reject is None:
            self._first_reject = rejects.row(0)
        self._has_rows = self._has_rows or frame.height > 0
        rows, has_local_times = _rows(frame, log, self.tz)
        self._has_local_times = self._has_local_times or has_local_times
        return to_parsed(log, "access", {"requests": rows}, records=frame["line"], rejects=rejects)


# -- forms of logs --------------------------------------------------------------------------------------------


class _PlainLog:
    """The well-known forms, perhaps within Docker's log."""

    def __init__(self, head: pl.DataFrame, *, is_docker: bool = False):
        self._is_docker = is_docker
        self._form = access_plain.PlainForm()
        lines = access_json.docker_lines(head.head(20)) if is_docker else head.head(20)
        has_requests = bool(lines["text"].str.contains(_PROTOCOL).any())
        self.refusal = texts.OTHER_ACCESS_FORMAT if has_requests else texts.NOT_ACCESS_LOG

    def match(self, body: pl.DataFrame) -> pl.DataFrame:
        """The fields of each line."""
        body = access_json.docker_lines(body) if self._is_docker else body
        return access_plain.match_lines(body)

    def observe(self, frame: pl.DataFrame) -> None:
        """Take account of some of the lines."""
        self._form.observe(frame)

    def is_open(self, frame: pl.DataFrame) -> bool:
        """Whether lines that follow the observed ones can change what those of ``frame`` mean."""
        return self._form.is_open(frame)

    def last_try(self, log: Log, frame: pl.DataFrame) -> tuple[Log, pl.DataFrame]:
        return log, frame

    def with_values(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` with what all lines decide."""
        return self._form.with_response_times(self._form.with_reasons(frame))

    def warnings(self) -> list[str]:
        return self._form.warnings()


class _GivenLog:
    """A log in a format that is given."""

    refusal = texts.NO_LINE_IN_FORMAT

    def __init__(self, file: str, log_format: str):
        try:
            self._format = compile_format(log_format)
        except FormatError as error:
            raise UnknownFormatError(file, str(error)) from error
        self._has_match = False

    def match(self, body: pl.DataFrame) -> pl.DataFrame:
        return _match_format(body, self._format)

    def observe(self, frame: pl.DataFrame) -> None:
        self._has_match = self._has_match or frame["reason"].null_count() > 0

    def is_open(self, frame: pl.DataFrame) -> bool:
        return frame.height > 0 and not self._has_match

    def last_try(self, log: Log, frame: pl.DataFrame) -> tuple[Log, pl.DataFrame]:
        """Log and fields without what a logger wrote in front of the lines, if no line is in the format.

        Not before: a format may begin as a prefix does, with a date or a name.
        """
        if not frame.height or self._has_match:
            return log, frame
        log = strip_prefixes(log, "access")
        return log, self.match(log.body())

    def with_values(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` with the fields that are made of others."""
        groups = self._format.groups
        duration_field = next((name for name in directives.DURATIONS if name in groups), None)
        computed = {"time_text": joined_time(groups)}
        if "response_bytes" not in groups:
            sizes = (directives.BODY_BYTES, directives.SENT_BYTES)
            computed["response_bytes"] = pl.coalesce(
                *(name for name in sizes if name in groups), pl.lit(None, pl.String)
            )
        if directives.PATH in groups and directives.TARGET not in groups:
            parts = [name for name in (directives.PATH, directives.QUERY) if name in groups]
            computed["target"] = pl.concat_str(*parts)
        if directives.FORWARDED in groups and directives.CLIENT not in groups:
            computed["client"] = pl.col(directives.FORWARDED).str.extract(r"^([^,]*)")
        if duration_field is not None:
            text = pl.col(duration_field)
            computed["duration_s"] = to_duration_s(text, directives.DURATIONS[duration_field])
            computed["is_bad_duration"] = is_no_duration(text)
        return frame.with_columns(**computed)

    def warnings(self) -> list[str]:
        return list(self._format.warnings)


def _match_format(body: pl.DataFrame, form: Format) -> pl.DataFrame:
    """The fields of each line in a format, and ``reason``: why the line is not in it."""
    groups = pl.col("text").str.extract_groups(form.pattern).struct.unnest()
    frame = body.select("line", "sentinel", groups)
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


# -- rows ---------------------------------------------------------------------------------------------------


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
    names = ("command", "target", "protocol")
    parts = _request_parts(frame["request"])
    own = [pl.when(pl.col("request").is_null()).then(name).alias(name) for name in names]
    frame = frame.with_columns(own).with_columns(
        pl.coalesce(parts[name], name).alias(name) for name in names
    )
    frame = frame.join(times, on="time_text", how="left", maintain_order="left", nulls_equal=True)
    request = pl.col("request")
    has_quote = frame["request"].str.contains('"', literal=True).any()
    no_target = request.is_null() & pl.col("target").is_null()
    none = request.is_in(["-", ""]).fill_null(False) | no_target
    malformed = ~none & (pl.col("command").is_null() | (pl.col("target") == "").fill_null(True))
    flags = (
        (none & pl.lit(has_request), "no-request"),
        (_has_bare_quote(request) & pl.lit(is_quoted_text and has_quote), "unescaped-quote"),
        (malformed, "malformed-request"),
        (~none & ~malformed & pl.col("protocol").is_null(), "no-protocol"),
        (pl.col("time").is_null(), "no-time"),
        (pl.col("is_bad_duration"), "no-response-time"),
        (pl.col("extra") == "fields", "extra-fields"),
        (pl.col("extra") == "malformed", "malformed-tail"),
        (log.is_unterminated_line, "unterminated"),
    )
    holds = frame.select(condition.alias(name) for condition, name in flags)
    flags = [(pl.lit(column), column.name) for column in holds if column.any()]
    rows = frame.select(
        pl.lit("access").alias("log"),
        "line",
        "time",
        *(_without_mark(name) for name in _TEXT_FIELDS),
        pl.when(~(malformed | none)).then(pl.col("command", "protocol")),
        to_int64(pl.col("status", "response_bytes")),
        target=first_of((~none & malformed, pl.coalesce("request", "target")), (~none, pl.col("target"))),
        response_time_s="duration_s",
        upstream_response_time_s=_upstream_s(frame),
        flags=join_flags(flags) if flags else pl.lit(None, pl.String),
    )  # fmt: skip
    return rows, has_local_times


def _without_mark(name: str) -> pl.Expr:
    """A field without the marks of no value and of an empty one."""
    field = pl.col(name)
    return pl.when(field == '""').then(pl.lit("")).when(field != "-").then(field).alias(name)


def _request_parts(request: pl.Series) -> pl.DataFrame:
    """``command``, ``target`` and ``protocol`` of requests; null where a request has another form.

    A request of three words, as most are, is not searched for groups if both ends of it are those of some request that
    was.
    """
    by_groups = pl.col("request").str.extract_groups(_REQUEST).struct.unnest()
    frame = request.to_frame("request")
    if request.len() < MIN_LINES_BY_WORDS or not is_fast():
        return frame.select(by_groups)
    split = request.str.split_exact(" ", 3).struct.unnest()
    ends = split.select("field_0", "field_2").unique()
    is_form = pl.concat_str("field_0", pl.lit(" x "), "field_2").str.extract_groups(_REQUEST).struct
    ends = ends.filter(is_form.field("protocol").is_not_null())
    is_plain = split.select(
        pl.col("field_0").is_in(ends["field_0"].implode())
        & pl.col("field_2").is_in(ends["field_2"].implode())
        & pl.col("field_3").is_null()
    ).to_series()
    is_plain = is_plain.fill_null(False)
    plain = split.select(command="field_0", target="field_1", protocol="field_2")
    if is_plain.all():
        return plain
    other = frame.filter(~is_plain).select(by_groups)
    places = (~is_plain).arg_true()
    return plain.select(plain[name].scatter(places, other[name]) for name in plain.columns)


def _upstream_s(frame: pl.DataFrame) -> pl.Expr:
    has_any = frame["upstream"].null_count() < frame.height
    return sum_durations_s(pl.col("upstream")) if has_any else pl.lit(None, pl.Float64)


def _has_bare_quote(text: pl.Expr) -> pl.Expr:
    """Whether the text has an unescaped quote."""
    return text.str.replace_all(r"\\.", "").str.contains('"', literal=True)
