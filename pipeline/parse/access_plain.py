r"""Access logs in the well-known forms: common and combined, a virtual host's name before them, more fields after them.

The fields before the time are recognized by their form and number::

    CLIENT IDENTITY USER                 the three of the common log format
    HOST:PORT CLIENT IDENTITY USER       vhost_combined
    HOST CLIENT IDENTITY USER            a virtual host's name without a port
    CLIENT - NAME WITH BLANKS            a user's name with blanks, where no identity is looked up

Example:
    >>> body = pl.DataFrame({"line": [1], "sentinel": [None], "text": [
    ...     'www.example.org 192.0.2.8 - ann [22/Nov/2026:21:36:01 +0000] "GET /b HTTP/1.1" 404 13']})
    >>> match_lines(body).select("client", "user", "status", "reason").row(0)
    ('192.0.2.8', 'ann', '404', None)
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


def match_lines(body: pl.DataFrame) -> pl.DataFrame:
    """The fields of each line.

    Parameters
    ----------
    body : polars.DataFrame
        ``line``, ``sentinel`` and ``text``.

    Returns
    -------
    polars.DataFrame
        ``client``, ``user``, ``time_text``, ``request``, ``status``, ``response_bytes``, ``referer``, ``user_agent``
        and ``rest``, all text, and ``reason``: why the line is none of an access log.
    """
    frame = _with_unescaped_quotes(_match(body, PATTERN), body)
    heads = _match_heads(frame["before"].unique())
    frame = frame.join(heads, on="before", how="left", maintain_order="left")
    no_match, ambiguous = pl.col("status").is_null(), _is_ambiguous(frame)
    reason = first_of((no_match, texts.NOT_ACCESS_FORMAT), (ambiguous, texts.AMBIGUOUS_CLIENT))
    return frame.with_columns(reason=reason)


def _match_heads(before: pl.Series) -> pl.DataFrame:
    """``client``, ``user`` and ``host`` of each text before the time; null where they have no known form."""
    groups = [pl.col("before").str.extract_groups(pattern).struct for pattern in _WHO]
    with_host = (2, 3)
    return pl.DataFrame({"before": before}).select(
        "before",
        client=pl.coalesce(group.field("client") for group in groups),
        user=pl.coalesce(group.field("user") for group in groups),
        host=pl.coalesce(groups[number].field("host") for number in with_host),
    )


def _is_ambiguous(frame: pl.DataFrame) -> pl.Expr:
    """Whether client and user are not certain."""
    is_address = {
        name: pl.col(name).str.contains(f"^(?:{ADDRESS})$") for name in ("host", "client")
    }
    # `$remote_addr $host - $remote_user`: an address before a name is no virtual host before its client
    reversed_words = is_address["host"] & ~is_address["client"]
    has_reversed = bool(frame.select(reversed_words.any()).item())
    blanks = pl.col("user").str.contains(" ", literal=True)
    has_mark = pl.col("user").str.contains(r"(?:^| )-(?: |$)")
    no_addresses = [invalid_clients(frame[name]) for name in ("host", "client")]
    invalid = [
        pl.col(name).is_in(values.implode())
        for name, values in zip(("host", "client"), no_addresses, strict=True)
    ]
    cases = (
        pl.col("client").is_null(),
        *invalid,
        reversed_words,
        is_address["host"] & is_address["client"] & pl.lit(has_reversed),
        blanks & has_mark,
    )
    return pl.any_horizontal(case.fill_null(False) for case in cases)


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


def with_response_times(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """``frame`` with ``duration_s``, ``is_bad_duration`` and ``extra``, and warnings.

    A response time after a known form is read if all lines show its unit. ``extra``: ``fields`` or ``malformed``, what
    else is after the known fields.
    """
    rest = pl.col("rest").fill_null("").str.strip_chars_end()
    is_read = pl.col("reason").is_null()
    ends = frame.filter(is_read).select(rest=rest)
    has_rest = ends.filter(pl.col("rest") != "")
    pattern, shift = "", 0
    for candidate, power in ((_NGINX_TIME, 0), (_NAMED_TIME, 0), (_TRAEFIK_TIME, -3)):
        if has_rest.height and has_rest["rest"].str.contains(candidate).all():
            pattern, shift = candidate, power
    text = rest.str.extract(pattern) if pattern else pl.lit(None, pl.String)
    is_whole = rest.str.contains(_FIELDS) & ~rest.str.contains(SPLICED)
    is_all_read = (rest == "") | (text.is_not_null() & pl.lit(pattern != _NAMED_TIME))
    extra = pl.when(is_whole).then(pl.lit("fields")).otherwise(pl.lit("malformed"))
    frame = frame.with_columns(
        duration_s=to_duration_s(text, shift),
        is_bad_duration=is_no_duration(text).fill_null(False),
        extra=pl.when(~is_all_read).then(extra),
    )
    unquoted = rest.str.replace_all(f'"{_QUOTED}"', "")
    is_unread = is_read & (pl.col("extra") == "fields") & unquoted.str.contains(_NUMBER)
    count = 0 if pattern else frame.filter(is_unread).height
    return frame, [texts.ambiguous_duration(count)] if count else []
