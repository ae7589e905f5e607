r"""Access logs in the well-known forms: common and combined, a virtual host's name before them, more fields after them.

The fields before the time are recognized by their form and number::

    CLIENT IDENTITY USER                 the three of the common log format
    HOST:PORT CLIENT IDENTITY USER       vhost_combined
    HOST CLIENT IDENTITY USER            a virtual host's name without a port
    CLIENT - NAME WITH BLANKS            a user's name with blanks, where no identity is looked up

Example:
    >>> body = pl.DataFrame({"line": [1], "sentinel": [None], "text": [
    ...     'www.example.org 192.0.2.8 - ann [22/Nov/2026:21:36:01 +0000] "GET /b HTTP/1.1" 404 13']})
    >>> match_lines(body).select("client", "user", "status", "is_ambiguous").row(0)
    ('192.0.2.8', 'ann', '404', False)
"""

from __future__ import annotations

import polars as pl

from pipeline.parse import texts
from pipeline.parse.access_fields import (
    ADDRESS,
    CLF_TIME,
    CLIENT,
    ESCAPED,
    FRACTION,
    ISO_TIME,
    OFFSET,
    invalid_clients,
    is_no_duration,
    to_duration_s,
)
from pipeline.parse.expressions import first_of
from pipeline.parse.reader import is_fast

_QUOTED = f"{ESCAPED}*"
_HEAD = (
    r'^(?P<before>(?:\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})? )?(?:[^"\\\[]|\\.)+(?:"")?) '
    rf"\[(?P<time_text>(?:{CLF_TIME}|{ISO_TIME})(?:{FRACTION})? ?(?:{OFFSET}))\] "
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
"""The date of another line within a line: a truncated line joined with the next one."""

_HOST = r"[A-Za-z0-9_*.-]*[A-Za-z_*][A-Za-z0-9_*.-]*"
_PORT = ":[0-9]{1,5}"
_BRACKETS = rf"\[[0-9A-Fa-f:.]+\](?:{_PORT})?"
_USER = r'""|(?:[^\s"\\]|\\.)+'
_NAME_WITH_BLANKS = r"[^\s]+(?: +[^\s]+)+"
_WHO = (
    rf"^(?P<client>{CLIENT}|-) \S+ (?P<user>{_USER})$",
    rf"^(?:(?:{_HOST}|{ADDRESS}){_PORT}|{_BRACKETS}) (?P<client>{CLIENT}) \S+ (?P<user>{_USER})$",
    rf"^(?P<host>{_HOST}|{ADDRESS}) (?P<client>{CLIENT}) - (?P<user>{_USER})$",
    rf"^(?P<host>{_HOST}|{ADDRESS}) (?P<client>{ADDRESS}) \S+ (?P<user>{_USER})$",
    rf"^(?P<client>{CLIENT}) - (?P<user>{_NAME_WITH_BLANKS})$",
    rf"^(?:(?:{_HOST}|{ADDRESS})(?:{_PORT})?|{_BRACKETS}) (?P<client>{ADDRESS}) - (?P<user>{_NAME_WITH_BLANKS})$",
)  # fmt: skip
"""What may stand before the time; the first pattern that matches counts."""

_FIELDS = rf'^(?:\s+[^\s"]*(?:"{_QUOTED}")?)*$'
_SECONDS = r"[0-9]+\.[0-9]{3}"
_NGINX_TIME = rf'^(?: "{_QUOTED}")? "?({_SECONDS})"?$'
"""The rest of nginx's combined or main form with ``$request_time``: always three decimals."""
_NAMED_TIME = r"(?:^| )(?:rt|request_time)=\"?([0-9]+\.[0-9]{3})\"?(?: |$)"
_NUMBER = r"(?:^|\s)-?[0-9]+(?:[.,][0-9]+)?(?:\s|$)"
_TRAEFIK_TIME = rf'^ [0-9]+ "{_QUOTED}" "{_QUOTED}" ([0-9]+)ms$'
_RESPONSE_TIMES = {_NGINX_TIME: 0, _NAMED_TIME: 0, _TRAEFIK_TIME: -3}
"""Power of ten of the unit of each; of several that fit the last one counts."""


MIN_LINES_BY_QUOTES = 1000
"""Lines from which on it is faster to read the usual form without groups."""


def match_lines(body: pl.DataFrame) -> pl.DataFrame:
    """The fields of each line.

    Parameters
    ----------
    body : polars.DataFrame
        ``line``, ``sentinel`` and ``text``.

    Returns
    -------
    polars.DataFrame
        ``client``, ``user``, ``time_text``, ``request``, ``status`` (null: the line has none of the forms),
        ``response_bytes``, ``referer``, ``user_agent`` and ``rest``, all text; ``is_ambiguous``: client and user are
        not certain; ``is_address_pair``: they are not if ``is_reversed`` of another line is true.
    """
    frame = _match_by_quotes(body)
    heads = _match_heads(frame["before"].unique())
    frame = frame.join(heads, on="before", how="left", maintain_order="left", nulls_equal=True)
    rest = pl.col("rest").fill_null("").str.strip_chars_end()
    return frame.with_columns(rest=rest)


def _match_heads(before: pl.Series) -> pl.DataFrame:
    """``client``, ``user`` (null: no known form) and whether they are certain, for each text before the time."""
    groups = [pl.col("before").str.extract_groups(pattern).struct for pattern in _WHO]
    with_host = (2, 3)
    heads = pl.DataFrame({"before": before}).select(
        "before",
        client=pl.coalesce(group.field("client") for group in groups),
        user=pl.coalesce(group.field("user") for group in groups),
        host=pl.coalesce(groups[number].field("host") for number in with_host),
    )
    is_address = {
        name: pl.col(name).str.contains(f"^(?:{ADDRESS})$") for name in ("host", "client")
    }
    blanks = pl.col("user").str.contains(" ", literal=True)
    has_mark = pl.col("user").str.contains(r"(?:^| )-(?: |$)")
    # `$remote_addr $host - $remote_user`: an address before a name is no virtual host before its client
    is_reversed = is_address["host"] & ~is_address["client"]
    cases = (
        pl.col("client").is_null(),
        *(
            pl.col(name).is_in(invalid_clients(heads[name]).implode())
            for name in ("host", "client")
        ),
        is_reversed,
        blanks & has_mark,
    )
    return heads.select(
        "before",
        "client",
        "user",
        is_ambiguous=pl.any_horizontal(case.fill_null(False) for case in cases),
        is_reversed=is_reversed.fill_null(False),
        is_address_pair=(is_address["host"] & is_address["client"]).fill_null(False),
    )


def _match(body: pl.DataFrame, pattern: str) -> pl.DataFrame:
    """The groups of a pattern for each line."""
    return body.select(
        "line", "sentinel", pl.col("text").str.extract_groups(pattern).struct.unnest()
    )


def _match_by_quotes(body: pl.DataFrame) -> pl.DataFrame:
    """The groups of ``PATTERN``, or of ``UNESCAPED_PATTERN``, for each line.

    Most lines are in the combined form without a backslash: what is between their six quotes is the same as the groups,
    which take longer.
    """
    if body.height < MIN_LINES_BY_QUOTES or not is_fast():
        return _with_unescaped_quotes(_match(body, PATTERN), body)
    text = pl.col("text")
    parts = [pl.col(f"field_{number}") for number in range(7)]
    # with a `[` at its start the text before the time is an address in brackets
    is_plain = (
        text.str.contains(PATTERN)
        & ~text.str.contains("\\", literal=True)
        & parts[0].str.ends_with("] ")
        & ~parts[0].str.starts_with("[")
        & (parts[4] == " ")
        & (parts[6] == "")
    )
    split = body.select(
        "line", "sentinel", "text", text.str.splitn('"', 7).struct.unnest()
    ).with_columns(is_plain=is_plain.fill_null(False))
    head = parts[0].str.strip_suffix("] ").str.split_exact(" [", 1).struct
    plain = split.filter("is_plain").select(
        "line",
        "sentinel",
        before=head.field("field_0"),
        time_text=head.field("field_1"),
        request=parts[1],
        status=parts[2].str.slice(1, 3),
        response_bytes=parts[2].str.slice(5).str.strip_chars_end(" "),
        referer=parts[3],
        user_agent=parts[5],
        rest=pl.lit(None, pl.String),
    )
    if plain.height == body.height:
        return plain
    others = body.filter(~split["is_plain"])
    others = _with_unescaped_quotes(_match(others, PATTERN), others)
    return pl.concat([plain, others]).sort("line")


def _with_unescaped_quotes(frame: pl.DataFrame, body: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with lines that did not match tried again with unescaped quotes."""
    missed = frame.filter(pl.col("status").is_null()).select("line")
    if not missed.height:
        return frame
    matched = _match(body.join(missed, on="line", how="semi"), UNESCAPED_PATTERN).filter(
        pl.col("status").is_not_null() & ~pl.col("request").str.contains(SPLICED)
    )
    return pl.concat([frame.join(matched, on="line", how="anti"), matched]).sort("line")


class PlainForm:
    """What the lines of a whole log decide about each of them: whether an address in front of another one is that of a
    virtual host, and what the number is that stands behind a known form.
    """

    def __init__(self) -> None:
        self._has_reversed = False
        self._has_rest = {False: False, True: False}
        """Whether a line that is read has more than the known fields, by ``is_address_pair``."""
        self._times = {is_pair: set(_RESPONSE_TIMES) for is_pair in (False, True)}
        """Response times that all those lines can have."""
        self._unread = 0

    def observe(self, frame: pl.DataFrame) -> None:
        """Take account of some of the lines (``match_lines``)."""
        self._has_reversed = self._has_reversed or bool(frame["is_reversed"].any())
        is_read = pl.col("status").is_not_null() & ~pl.col("is_ambiguous")
        ends = frame.filter((pl.col("rest") != "") & is_read).select("rest", "is_address_pair")
        for is_pair, times in self._times.items():
            rest = ends.filter(pl.col("is_address_pair") == is_pair)["rest"]
            self._has_rest[is_pair] = self._has_rest[is_pair] or rest.len() > 0
            if rest.len():
                times.intersection_update([time for time in times if rest.str.contains(time).all()])

    def is_open(self, frame: pl.DataFrame) -> bool:
        """Whether lines that follow the observed ones can change what those of ``frame`` mean."""
        has_pair = bool(frame["is_address_pair"].any()) and not self._has_reversed
        return has_pair or (bool(self._times[False]) and bool((frame["rest"] != "").any()))

    def with_reasons(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` with ``reason``: why the line is none of an access log."""
        ambiguous = pl.col("is_ambiguous")
        if self._has_reversed:
            ambiguous = ambiguous | pl.col("is_address_pair")
        cases = (
            (pl.col("status").is_null(), texts.NOT_ACCESS_FORMAT),
            (ambiguous, texts.AMBIGUOUS_CLIENT),
        )
        return frame.with_columns(reason=first_of(*cases))

    def with_response_times(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` with ``duration_s``, ``is_bad_duration`` and ``extra``.

        A response time after a known form is read if all lines show its unit. ``extra``: ``fields`` or ``malformed``,
        what else is after the known fields.
        """
        rest = pl.col("rest")
        pattern = self._response_time()
        text = rest.str.extract(pattern) if pattern else pl.lit(None, pl.String)
        is_whole = rest.str.contains(_FIELDS) & ~rest.str.contains(SPLICED)
        is_all_read = (rest == "") | (text.is_not_null() & pl.lit(pattern != _NAMED_TIME))
        extra = pl.when(is_whole).then(pl.lit("fields")).otherwise(pl.lit("malformed"))
        frame = frame.with_columns(
            duration_s=to_duration_s(text, _RESPONSE_TIMES.get(pattern, 0)),
            is_bad_duration=is_no_duration(text).fill_null(False),
            extra=pl.when(~is_all_read).then(extra),
        )
        if not pattern:
            unquoted = rest.str.replace_all(f'"{_QUOTED}"', "")
            is_read = pl.col("reason").is_null() & (pl.col("extra") == "fields")
            self._unread += frame.filter(is_read & unquoted.str.contains(_NUMBER)).height
        return frame

    def _response_time(self) -> str:
        """Pattern of the response time that every line shows; empty if there is none."""
        sets = [True, False] if not self._has_reversed else [False]
        if not any(self._has_rest[is_pair] for is_pair in sets):
            return ""
        times = set.intersection(*(self._times[is_pair] for is_pair in sets))
        return next((time for time in reversed(_RESPONSE_TIMES) if time in times), "")

    def warnings(self) -> list[str]:
        """Warnings about the lines that were read."""
        return [texts.ambiguous_duration(self._unread)] if self._unread else []
