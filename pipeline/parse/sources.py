r"""Sources of a log: hosts, containers or processes whose names stand in front of its lines.

``check_sources`` is called after ``prefixes.strip_prefixes``. Lines of several sources in one log would be read as one
series, so such a log is refused. A name is a word of the removed prefix that begins with a letter; dates, numbers,
severities, facilities and streams are no names. Only lines of the tool count: what other programs wrote into a journal
is rejected by the parsers.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> from pipeline.parse.prefixes import strip_prefixes
    >>> text = "".join(f"{name}  |    8  0 sda {n} 2 3 4 5 6 7 8 9 10 11\n" for n in "12" for name in ("a-1", "b-1"))
    >>> check_sources(strip_prefixes(log_from_text(text, "block.log"), "block"), "block")
    Traceback (most recent call last):
    pipeline.parse.errors.ParseError: block.log:2: lines of several sources (a-1, b-1) alternate: separate them...
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import ParseError
from pipeline.parse.line_shapes import shape_of
from pipeline.parse.log import Log
from pipeline.parse.prefixes import APACHE, ISO, NAMED, words_reduced

_SEVERITIES = "emerg|alert|crit|critical|err|error|warn|warning|notice|info|debug|trace|fatal"
_FACILITIES = "kern|user|mail|daemon|auth|authpriv|syslog|lpr|news|uucp|cron|ftp|local[0-7]"
_NO_NAME = (
    rf"(?i)^(?:(?:{_SEVERITIES}|{_FACILITIES})(?:[.](?:{_SEVERITIES}))?|stdout|stderr|[fp]|[ap]m|utc|gmt"
    r"|[iwefd][0-9]{4}|[0-9a-f]{6,}|mon|tue|wed|thu|fri|sat|sun)$|^[^\pL_]"
)
"""Words of a prefix that differ within one source: severity, facility, stream (``F`` and ``P`` of Kubernetes), zone,
day, a number in hexadecimal, any other number."""
_GREP_CONTEXT = r"-(?:[0-9]+-)?\s*$"
"""End of what ``grep -A`` writes in front of lines that do not match."""
_TIME = rf"(?:{ISO}|{NAMED}|{APACHE})(?: [A-Z]{{3,4}}\b)?"

MERGED_KINDS = ("access",)
"""Kinds whose lines have a time each and do not depend on others: several servers in one log are a warning."""


def check_sources(log: Log, kind: str) -> Log:
    """``log``, with a warning if its lines are of several sources.

    Parameters
    ----------
    log : Log
        As returned by ``strip_prefixes``.
    kind : str

    Returns
    -------
    Log
        The same log if all lines are of one source. A warning is added if the sources follow one another (files one
        after the other, a host with a new name), or if the kind is in ``MERGED_KINDS``.

    Raises
    ------
    ParseError
        If the lines of several sources alternate.
    """
    if log.prefixes is None:
        return log
    sources = _source_lines(log, kind)
    # two lines of each: a name that is new on every line is a counter
    sources = sources.filter(pl.len().over("source") > 1)
    names = sources["source"].unique(maintain_order=True).to_list()
    if len(names) < 2:
        return log
    first = sources.filter(pl.col("source") == names[1])["line"][0]
    differing = [
        [word for word in name if any(word not in other for other in names)] for name in names
    ]
    described = ["/".join(parts or name) for parts, name in zip(differing, names, strict=True)]
    if kind in MERGED_KINDS or sources["source"].rle_id().max() + 1 == len(names):
        message = f"{log.file}:{first}: {texts.several_sources(described)}"
        return replace(log, warnings=(*log.warnings, message))
    raise ParseError(log.file, texts.sources_alternate(described), first)


def lines_of_others(log: Log) -> pl.Series:
    """Lines with a prefix of the form of the others, but with other names: not removed, so of another program.

    Parameters
    ----------
    log : Log
        As returned by ``strip_prefixes``.

    Returns
    -------
    polars.Series
        Numbers of the lines.
    """
    form = _form(log)
    if form is None:
        return pl.Series(dtype=pl.Int64)
    bare = log.lines.join(log.prefixes.filter(pl.col("prefix").is_null()), on="line", how="semi")
    return bare.filter(pl.col("text").str.contains(f"^{form}"))["line"]


def _form(log: Log) -> str | None:
    """Pattern of prefixes that differ from the most common one in names and numbers; None if it has no word."""
    if log.prefixes is None:
        return None
    common = log.prefixes["prefix"].drop_nulls().head(1000).mode().sort()
    if common.is_empty() or not any(map(str.isalpha, common[0])):
        return None
    return words_reduced(common[0])


def _source_lines(log: Log, kind: str) -> pl.DataFrame:
    """``line`` and ``source`` (the names in its prefix) of the lines of the tool, by far the most common number of
    names only."""
    shape = shape_of(kind)
    lines = log.lines.select("line", "text").join(
        log.prefixes, on="line", how="left", maintain_order="left"
    )
    prefix = pl.when(pl.col("text").str.contains(f"^(?:{shape})")).then("prefix")
    form = _form(log)
    if form is not None:
        other = pl.col("text").str.extract(rf"^({form})\s?(?:{shape})")
        prefix = pl.when(pl.col("prefix").is_null()).then(other).otherwise(prefix)
    lines = lines.select("line", prefix=prefix).drop_nulls()
    by_prefix = (
        lines.select("prefix")
        .unique()
        .with_columns(
            source=pl.col("prefix")
            .str.replace(_GREP_CONTEXT, "")
            .str.replace_all(_TIME, " ")
            .str.extract_all(r"[\w.-]*\w")
            .list.eval(pl.element().filter(~pl.element().str.contains(_NO_NAME)))
        )
    )
    sources = lines.join(by_prefix, on="prefix", how="left", maintain_order="left")
    count = pl.col("source").list.len()
    return sources.filter(count == count.mode().max()).select("line", "source")
