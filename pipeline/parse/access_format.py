r"""Formats of access logs: Apache's LogFormat and nginx's log_format as a pattern for a line.

A format is the string itself, a line of the configuration that holds it, or the name of a well-known one
(``access_directives.PREDEFINED``). A value ends where the text after it in the format begins; between quotes,
escapes are skipped.

Example:
    >>> form = compile_format('%h "%r" %>s %{ms}T')
    >>> re.match(form.pattern, '192.0.2.7 "GET / HTTP/1.1" 200 15').groupdict()
    {'client': '192.0.2.7', 'request': 'GET / HTTP/1.1', 'status': '200', 'duration_ms': '15'}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from pipeline.errors import Error
from pipeline.parse import access_directives as directives
from pipeline.parse import texts
from pipeline.parse.access_fields import CLIENT, ESCAPED

_NGINX_LINE = re.compile(
    r"^\s*log_format\s+(?P<name>\S+)\s+(?:escape=(?P<escape>\w+)\s+)?(?P<rest>.*?);?\s*$", re.DOTALL
)
_APACHE_LINE = re.compile(r"^\s*(?:LogFormat|CustomLog\s+\S+)\s+(?P<rest>.*)$", re.DOTALL | re.I)
_QUOTED_PART = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")""", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DIRECTIVE = re.compile(
    r"%(?P<modifiers>[<>!0-9,]*)(?:\{(?P<argument>[^}]*)\})?(?P<letter>\^[A-Za-z]{2}|[A-Za-z%])"
)

_UPSTREAM_TIME = r"(?:-|[0-9][0-9.]*)"
_PATTERNS = {
    directives.STATUS: "[0-9]{3}",
    directives.BODY_BYTES: "[0-9]+|-",
    directives.SENT_BYTES: "[0-9]+|-",
    directives.METHOD: r'[^\s"]*',
    directives.PROTOCOL: r'[^\s"]*',
}
_UNQUOTED = {
    directives.REQUEST: r"[A-Z][A-Z_-]* .*? HTTP/[0-9.]+|-",
    directives.FORWARDED: r"[^\s,]+(?:, ?[^\s,]+)*",
    directives.UPSTREAM: rf"{_UPSTREAM_TIME}(?:(?: : |, ){_UPSTREAM_TIME})*",
    directives.LIST: r"[^\s,]+(?:(?: : |, )[^\s,]+)*",
}


class FormatError(Error, ValueError):
    """A format of an access log that is not understood; the message names the directive."""


@dataclass(frozen=True)
class Format:
    """A pattern whose groups are fields of ``access_directives`` and parts of the time, and warnings."""

    pattern: str
    warnings: tuple[str, ...] = ()

    @property
    def groups(self) -> frozenset[str]:
        """Names of the fields that a line has."""
        return frozenset(re.findall(r"\(\?P<(\w+)>", self.pattern))


@dataclass(frozen=True)
class _Token:
    """Text (``field`` is None), or a value; ``pattern`` where it does not depend on what is around it."""

    text: str
    field: str | None = None
    pattern: str = ""


def compile_format(text: str) -> Format:
    """The format of an access log as a pattern.

    Parameters
    ----------
    text : str
        ``LogFormat "…" name`` or ``log_format name '…' '…';`` as in a configuration, only the string in it, or a name:
        common, combined, combinedio, vhost_combined, main.

    Returns
    -------
    Format

    Raises
    ------
    FormatError
        If a directive is not known, or the format has none, or two values have nothing between them.

    Examples
    --------
    >>> sorted(compile_format("log_format brief '$remote_addr $status $request_time';").groups)
    ['client', 'duration_s', 'status']
    """
    if "\n" not in text and text.strip() in directives.PREDEFINED:
        text = directives.PREDEFINED[text.strip()]
    is_nginx, escape, text = _format_string(text)
    tokens = list(_nginx_tokens(text) if is_nginx else _apache_tokens(text))
    unread = (None, directives.IGNORED, directives.LIST)
    if all(token.field in unread for token in tokens):
        raise FormatError(texts.format_without_directive(text))
    warnings = [
        texts.unknown_variable(token.text)
        for token in tokens
        if is_nginx and token.field == directives.IGNORED and not _is_known_variable(token.text)
    ]
    return Format(_pattern(tokens, escape), tuple(dict.fromkeys(warnings)))


# -- what the configuration says ----------------------------------------------------------------------------


def _format_string(text: str) -> tuple[bool, str, str]:
    """Whether a format is nginx's, how values are escaped, and the format without the configuration around it."""
    if line := _NGINX_LINE.match(text):
        return True, line["escape"] or "default", _join_parts(line["rest"])
    if line := _APACHE_LINE.match(text):
        part = _QUOTED_PART.match(line["rest"])
        first = next((group for group in part.groups() if group is not None), "") if part else None
        return False, "default", _unescape(line["rest"].split()[0] if first is None else first)
    text = text.strip()
    if _VARIABLE.search(text) and not re.search(r"%(?:>?s|[hrtb]\b)", text):
        return True, "default", _join_parts(text)
    if part := _QUOTED_PART.fullmatch(text):
        text = next(group for group in part.groups() if group is not None)
    return False, "default", _unescape(text)


def _join_parts(text: str) -> str:
    """nginx's strings, joined; ``text`` itself if it is none."""
    parts = list(_QUOTED_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts).strip() != text.strip():
        return text
    strings = [single if single is not None else double for single, double in map(re.Match.groups, parts)]  # fmt: skip
    return "".join(map(_unescape, strings))


def _unescape(text: str) -> str:
    r"""``\"``, ``\t`` … of a configuration."""
    named = {"t": "\t", "n": "\n", "r": "\r"}
    text = re.sub(r"\\\r?\n\s*", "", text)
    return re.sub(r"\\(.)", lambda match: named.get(match[1], match[1]), text)


# -- tokens -------------------------------------------------------------------------------------------------


def _nginx_tokens(text: str) -> Iterator[_Token]:
    position = 0
    for match in _VARIABLE.finditer(text):
        if match.start() > position:
            yield _Token(text[position : match.start()])
        position, name = match.end(), match[1] or match[2]
        if name in directives.NGINX_TIMES:
            yield from _time_tokens(directives.NGINX_TIMES[name])
        elif name in directives.NGINX:
            yield _Token(name, directives.NGINX[name])
        else:
            is_list = name.startswith("upstream_")
            yield _Token(name, directives.LIST if is_list else directives.IGNORED)
    if position < len(text):
        yield _Token(text[position:])


def _is_known_variable(name: str) -> bool:
    return re.fullmatch(directives.NGINX_IGNORED, name) is not None


def _apache_tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        start = text.find("%", position)
        if start < 0:
            yield _Token(text[position:])
            return
        if start > position:
            yield _Token(text[position:start])
        match = _DIRECTIVE.match(text, start)
        if match is None:
            raise FormatError(texts.unknown_directive(text[start:].split()[0]))
        position = match.end()
        yield from _apache_directive(match)


def _apache_directive(match: re.Match) -> Iterator[_Token]:
    letter, argument = match["letter"], match["argument"]
    if letter == "%":
        yield _Token("%")
    elif letter == "t":
        yield from _apache_time(match[0], argument or "")
    elif letter == "T":
        if (unit := argument or "") not in directives.APACHE_DURATIONS:
            raise FormatError(texts.unknown_directive(match[0]))
        yield _Token(match[0], directives.APACHE_DURATIONS[unit])
    elif letter == "i":
        field = directives.APACHE_HEADERS.get((argument or "").lower(), directives.IGNORED)
        yield _Token(match[0], field)
    elif letter in ("^FB", "^ti", "^to"):
        yield _Token(match[0], directives.IGNORED)
    elif letter in directives.APACHE:
        is_peer = letter == "a" and argument is not None  # %{c}a: the balancer, not the client
        yield _Token(match[0], directives.IGNORED if is_peer else directives.APACHE[letter])
    else:
        raise FormatError(texts.unknown_directive(match[0]))


def _apache_time(directive: str, argument: str) -> Iterator[_Token]:
    if argument.startswith("end:") or argument == "end":
        argument = argument.partition(":")[2]
        for token in _time_tokens(directives.TIME_TOKENS.get(argument, argument), directive):
            yield token if token.field is None else replace(token, field=directives.IGNORED)
        return
    argument = argument.removeprefix("begin:").removeprefix("begin")
    yield from _time_tokens(directives.TIME_TOKENS.get(argument, argument), directive)


def _time_tokens(pattern: str, directive: str = "") -> Iterator[_Token]:
    """A strftime format, and ``%3f`` for milliseconds, as tokens."""
    for code, composite in directives.TIME_COMPOSITES.items():
        pattern = pattern.replace(f"%{code}", composite)
    if pattern and "%" not in pattern:
        raise FormatError(texts.unknown_directive(directive))
    for code, text in re.findall(r"%([36]f|.)|([^%]+)", pattern):
        if text or code in ("%", "n", "t"):
            yield _Token(text or {"%": "%", "n": "\n", "t": "\t"}[code])
        elif code in directives.TIME_PARTS:
            yield _Token(f"%{code}", *directives.TIME_PARTS[code])
        else:
            raise FormatError(texts.unknown_time_code(f"%{code}", directive))


# -- pattern ------------------------------------------------------------------------------------------------


def _pattern(tokens: list[_Token], escape: str) -> str:
    merged: list[_Token] = []
    for token in tokens:
        if token.field is None and merged and merged[-1].field is None:
            merged[-1] = _Token(merged[-1].text + token.text)
        else:
            merged.append(token)
    parts, named, quotes = [], set(), 0
    has_final_status = any(">s" in token.text for token in merged if token.field)
    for position, token in enumerate(merged):
        if token.field is None:
            parts.append(_escape(token.text))
            quotes += token.text.count('"')
            continue
        after = merged[position + 1] if position + 1 < len(merged) else _Token("")
        _check_separated(token, after)
        pattern = token.pattern or _value_pattern(
            token, after, escape, is_quoted=quotes % 2 == 1, is_first=position == 0
        )
        name = token.field
        if name == directives.STATUS and has_final_status and ">" not in token.text:
            name = directives.IGNORED
        if name in (directives.IGNORED, directives.LIST) or name in named:
            parts.append(f"(?:{pattern})")
        else:
            named.add(name)
            parts.append(f"(?P<{name}>{pattern})")
    return f"^{''.join(parts)}\\s*$"


def _check_separated(token: _Token, after: _Token) -> None:
    is_time = bool(token.pattern) and bool(after.pattern)
    is_query = token.field == directives.PATH and after.field == directives.QUERY
    if after.field is not None and not is_time and not is_query:
        raise FormatError(texts.not_separated(token.text, after.text))


def _escape(text: str) -> str:
    """Text as a pattern: unlike ``re.escape``, tabs and blanks stay as they are."""
    return re.sub(r"[][(){}?*+|^$\\.&~#-]", r"\\\g<0>", text)


def _value_pattern(
    token: _Token, after: _Token, escape: str, *, is_quoted: bool, is_first: bool
) -> str:
    """The pattern of a value by its field and by what is around it."""
    field, ending = token.field, after.text if after.field is None else ""
    if field in _PATTERNS:
        return _PATTERNS[field]
    if field == directives.CLIENT:
        return f"{CLIENT}|-" if is_first else CLIENT
    if is_quoted:
        character = '[^"]' if escape == "none" else ESCAPED
        if field == directives.PATH and after.field == directives.QUERY:
            return r'(?:[^"\\?]|\\.)*?'
        return r"(?:\?" + f"{character}*?)?" if field == directives.QUERY else f"{character}*?"
    if field == directives.QUERY:
        return r"(?:\?[^\s\"]*)?"
    if field == directives.PATH and after.field == directives.QUERY:
        return r"[^\s?\"]*"
    if field in _UNQUOTED:
        return _UNQUOTED[field]
    if not ending:
        return r'[^\s"]*' if field in directives.DURATIONS else r".*?"
    if field == directives.USER and ending[0] == " " and len(ending) > 1:
        return r"(?:[^\s\"\[\\]|\\.)+(?: (?:[^\s\"\[\\]|\\.)+)*"
    return r"[^\s]+" if ending[0] == " " else f"[^{_escape(ending[0])}]*"


def joined_time(groups: frozenset[str]) -> pl.Expr:
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
