r"""Fields of access logs: addresses, quoted text, times and durations, the same for every form of the log.

Example:
    >>> frame = pl.DataFrame({"t": ["22/Nov/2026:21:36:00.5 +0100", "1795383360.250", "yesterday"]})
    >>> frame.select(to_time(pl.col("t")).dt.to_string("%FT%T%.3f")).to_series().to_list()
    ['2026-11-22T20:36:00.500', '2026-11-22T21:36:00.250', None]
"""

from __future__ import annotations

import ipaddress

import polars as pl

from pipeline.parse.expressions import first_of, offset_minutes, to_float64, to_int64, to_utc_ns
from pipeline.tables import UTC_NS

IPV4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
IPV6 = r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\.[0-9]{1,3}){3})?(?:%[A-Za-z0-9_.-]+)?"
HOST_NAME = r"(?:[0-9_][0-9_.-]*)?[A-Za-z][A-Za-z0-9_.-]*"
ADDRESS = rf"{IPV4}|{IPV6}"
CLIENT = rf"{ADDRESS}|{HOST_NAME}|unix:"
"""An address, a name with at least one letter, or nginx's ``unix:``."""

ESCAPED = r'(?:[^"\\]|\\.)'
"""A character, or an escape, between quotes."""

MAX_DURATION_S = 1e7
"""About four months: a longer duration is a counter that overflowed."""

CLF_TIME = r"[0-9]{1,2}/[A-Za-z]{3}/[0-9]{4}:[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
ISO_TIME = r"[0-9]{4}-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
FRACTION = r"[.,][0-9]{1,9}"
OFFSET = r"Z|[+-][0-9][0-9]:?[0-9][0-9]"

_DATED = rf"^(?P<local>{CLF_TIME}|{ISO_TIME})(?P<fraction>{FRACTION})? ?(?P<offset>{OFFSET})?$"
_EPOCH = r"^(?P<whole>[0-9]{10})(?:[.,]?(?P<fraction>[0-9]{1,9}))?$"
"""Seconds since 1970 with a fraction, or milli-, micro- or nanoseconds as a whole number."""


def to_time(text: pl.Expr, tz: str | None = None) -> pl.Expr:
    """A time as text (common log format, ISO 8601, or seconds since 1970) as UTC; null for what is none.

    ``tz``: the time zone of times without an offset, UTC if None.
    """
    dated, epoch = (text.str.extract_groups(pattern).struct for pattern in (_DATED, _EPOCH))
    local = dated.field("local")
    naive = pl.coalesce(
        local.str.to_datetime("%d/%b/%Y:%H:%M:%S", time_unit="us", strict=False),
        local.str.replace("T", " ").str.to_datetime("%F %T", time_unit="us", strict=False),
    )
    offset = dated.field("offset")
    zone = offset.str.extract_groups(r"^([+-])([0-9]{2}):?([0-9]{2})$").struct
    minutes = offset_minutes(zone.field("1"), zone.field("2"), zone.field("3"))
    in_zone = naive.dt.replace_time_zone(tz or "UTC", ambiguous="null", non_existent="null")
    shifted = to_utc_ns(
        first_of(
            (offset == "Z", naive),
            (offset.is_not_null(), naive - pl.duration(minutes=minutes, time_unit="us")),
            (offset.is_null(), in_zone.dt.convert_time_zone("UTC").dt.replace_time_zone(None)),
        )
    )
    since_1970_ns = to_int64(epoch.field("whole")) * 10**9 + _fraction_ns(epoch.field("fraction"))
    fraction_ns = _fraction_ns(dated.field("fraction").str.slice(1))
    dated_ns = shifted.dt.epoch("ns") + fraction_ns
    return pl.coalesce(dated_ns, since_1970_ns).cast(UTC_NS)


def has_no_offset(text: pl.Expr) -> pl.Expr:
    """Whether a time has no offset from UTC, so that it is one of the machine's zone."""
    parts = text.str.extract_groups(_DATED).struct
    return parts.field("local").is_not_null() & parts.field("offset").is_null()


def _fraction_ns(digits: pl.Expr) -> pl.Expr:
    return to_int64(digits.str.pad_end(9, "0")).fill_null(0)


def to_duration_s(text: pl.Expr, shift: int = 0) -> pl.Expr:
    """A duration as text in seconds (``shift`` is the power of ten of its unit); null for what is none."""
    is_number = text.str.contains(r"^[0-9]+(?:[.,][0-9]+)?$")
    value = pl.when(is_number).then(to_float64(text, shift))
    return pl.when(value <= MAX_DURATION_S).then(value)


def is_no_duration(text: pl.Expr) -> pl.Expr:
    """Whether a field is neither a duration nor the mark of a missing one."""
    return to_duration_s(text).is_null() & ~text.is_in(["-", ""])


def sum_durations_s(text: pl.Expr) -> pl.Expr:
    """Sum of nginx's list of durations (``0.010, 0.020 : 0.003``); ``-`` counts for nothing, null if all are."""
    parts = text.str.extract_all(r"[^\s,:]+")
    times_s = parts.list.eval(to_duration_s(pl.element()))
    is_invalid = parts.list.eval(is_no_duration(pl.element())).list.any()
    has_time = times_s.list.drop_nulls().list.len() > 0
    return pl.when(has_time & ~is_invalid).then(times_s.list.sum().round(9))


def invalid_clients(clients: pl.Series) -> pl.Series:
    """Those of ``clients`` that have the form of an address and are none, such as ``10.0.0.300`` or ``12:34:56``."""
    is_address = clients.str.contains(rf"^(?:{ADDRESS})$")
    values = clients.filter(is_address.fill_null(False)).unique()
    return values.filter(pl.Series([not _is_address(value) for value in values], dtype=pl.Boolean))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
