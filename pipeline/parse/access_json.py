"""JSON access logs, one object per line: of nginx (``escape=json``), Apache, Caddy, Traefik.

Keys are compared without regard to case; those of a nested object are joined by points (``request.method``). Texts are
decoded, so that a ``\\"`` of the log is a ``"`` in the table.

A duration is read where its unit is certain: ``request_time`` with a fraction (nginx, seconds), a key that ends in its
unit (``duration_ms``), a value with its unit (``"1.5ms"``), Caddy's ``duration`` (seconds) and Traefik's ``Duration``
(nanoseconds).
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import lru_cache
from typing import Any

import polars as pl

from pipeline.parse import texts
from pipeline.parse.access_fields import MAX_DURATION_S, is_no_duration, to_duration_s
from pipeline.parse.expressions import first_of
from pipeline.parse.log import Log

KEYS: dict[str, tuple[str, ...]] = {
    "client": (
        "remote_addr", "client_ip", "clientip", "client", "client_addr", "remote_ip", "remote_host",
        "request.client_ip", "request.remote_ip", "request.remote_addr", "clienthost", "client.ip",
        "source.ip", "remoteip",
    ),
    "user": ("remote_user", "user", "user_id", "clientusername", "user.name"),
    "request": ("request", "request_line"),
    "command": (
        "request_method", "method", "http_method", "verb", "request.method", "requestmethod",
        "http.request.method",
    ),
    "target": (
        "request_uri", "uri", "url", "path", "request.uri", "requestpath", "url.original", "request_path",
    ),
    "protocol": (
        "server_protocol", "protocol", "proto", "request.proto", "requestprotocol", "http_version",
    ),
    "status": (
        "status", "status_code", "response_status", "downstreamstatus", "response_code",
        "http.response.status_code",
    ),
    "response_bytes": (
        "body_bytes_sent", "response_bytes", "size", "downstreamcontentsize", "bytes_sent", "bytes",
        "response_size", "http.response.body.bytes",
    ),
    "referer": ("http_referer", "http_referrer", "referer", "referrer", "request.headers.referer", "request_referer"),
    "user_agent": (
        "http_user_agent", "user_agent", "useragent", "agent", "request.headers.user-agent",
        "request_user-agent", "user_agent.original",
    ),
    "time": (
        "msec", "time_iso8601", "startutc", "@timestamp", "timestamp", "time_local", "time", "ts", "datetime", "date",
    ),
    "upstream": ("upstream_response_time",),
}  # fmt: skip
"""Field → keys that hold it, the preferred one first."""

UNKNOWN_UNIT = "unit unknown"
"""``duration_text`` where another key than nginx's ``request_time`` holds a duration without its unit."""

COLUMNS = (*KEYS, "duration_s", "duration_text", "is_bad_duration")
OTHER_LOGGER = r"http\.(?:log\.(?!access(?:\.|$))|handlers\.)"
"""The loggers of Caddy that log no requests: of errors, whose request the access log has too, and of handlers."""
HEAD_LINES = 100
"""Lines by which a log is recognized as JSON."""
MAX_DEPTH = 4
"""Objects within objects that are searched for keys."""

_PER_S = {
    "s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e3, "msec": 1e3, "us": 1e6, "usec": 1e6, "µs": 1e6, "ns": 1e9,
}  # fmt: skip
_DURATION_KEYS = "request_time|response_time|duration|time_taken|request_duration|latency|elapsed"
_WITH_UNIT_KEY = re.compile(
    rf"(?:{_DURATION_KEYS})_(?P<unit>ms|msec|us|usec|ns|s|sec|seconds)|time_(?P<short>ms|us)"
)
_WITH_UNIT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ns|us|µs|ms|s)")
_BARE_KEYS = frozenset(_DURATION_KEYS.split("|"))
_HEX_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\x")
"""``\\x16`` of Apache and nginx, which JSON does not have."""
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def is_json(body: pl.DataFrame) -> bool:
    """Whether most of the first lines are JSON objects."""
    head = body["text"].head(HEAD_LINES).str.strip_chars_start().str.starts_with("{")
    return bool(head.len()) and 2 * int(head.sum()) > head.len()


def is_docker(text: str) -> bool:
    """Whether a line is one of Docker's json-file log (keys ``log`` and ``stream``)."""
    return {"log", "stream"} <= _parse_object(text).keys()


def docker_lines(body: pl.DataFrame) -> pl.DataFrame:
    """The lines inside Docker's json-file log."""
    inner = [_parse_object(text).get("log") for text in body["text"]]
    lines = [value.rstrip("\n") if isinstance(value, str) else "" for value in inner]
    return body.with_columns(text=pl.Series(lines, dtype=pl.String))


def json_fields(body: pl.DataFrame) -> pl.DataFrame:
    """Each line's fields as text.

    Columns: those of ``KEYS`` and ``duration_text`` (a duration of unknown unit), all text; ``duration_s``, seconds;
    ``is_bad_duration``: there is one of a known unit, and it cannot be; ``is_other_logger`` (``OTHER_LOGGER``).
    The others are null in a line that is not an object.
    """
    objects = [_flatten(_parse_object(text)) for text in body["text"]]
    rows = [(*_fields(flat), _is_of_other_logger(flat)) for flat in objects]
    types = {"duration_s": pl.Float64, "is_bad_duration": pl.Boolean, "is_other_logger": pl.Boolean}
    schema = {name: types.get(name, pl.String) for name in (*COLUMNS, "is_other_logger")}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return pl.concat([body.select("line", "sentinel"), frame], how="horizontal")


def has_fraction(frame: pl.DataFrame) -> bool:
    """Whether a duration of unknown unit has a fraction: seconds of nginx.

    Whole numbers under the same key are Apache's microseconds or seconds.
    """
    return bool(frame["duration_text"].str.contains(r"^[0-9]+\.[0-9]+$").any())


def with_seconds(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with its durations of unknown unit (``duration_text``) as seconds."""
    text = pl.col("duration_text")
    is_known = text.is_not_null() & (text != UNKNOWN_UNIT)
    return frame.with_columns(
        duration_s=pl.coalesce("duration_s", to_duration_s(text)),
        is_bad_duration=pl.col("is_bad_duration") | (is_known & is_no_duration(text)),
        duration_text=pl.when(~is_known).then(text),
    )


def _parse_object(text: str) -> dict[str, Any]:
    for candidate in (text, _HEX_ESCAPE.sub(r"\1\\\\x", text)):
        with suppress(ValueError, RecursionError):
            value = json.loads(candidate)
            return value if isinstance(value, dict) else {}
    return {}


def _flatten(value: dict[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = prefix + key.lower()
        if isinstance(item, list):
            item = item[0] if item else None
        if isinstance(item, dict) and depth < MAX_DEPTH:
            flat |= _flatten(item, f"{name}.", depth + 1)
        elif item is not None and not isinstance(item, dict | list):
            flat[name] = item
    return flat


def _fields(flat: dict[str, Any]) -> tuple[str | float | bool | None, ...]:
    fields, duration_key, per_s = _chosen_keys(tuple(flat))
    values = [next(filter(None, (_text(flat[key]) for key in keys)), None) for keys in fields]
    if duration_key is None:
        return (*values, None, None, None)
    text = _text(flat[duration_key])
    if (parts := _WITH_UNIT.fullmatch(text)) and duration_key in _BARE_KEYS:
        text, per_s = parts[1], _PER_S[parts[2]]
    if text in ("-", ""):
        return (*values, None, None, False)
    if per_s is None:
        return (*values, None, text if duration_key == "request_time" else UNKNOWN_UNIT, False)
    value_s = float(text) / per_s if _NUMBER.fullmatch(text) else None
    is_bad = value_s is None or value_s > MAX_DURATION_S
    return (*values, None if is_bad else value_s, None, is_bad)


def _is_of_other_logger(flat: dict[str, Any]) -> bool:
    return re.match(OTHER_LOGGER, _text(flat.get("logger", ""))) is not None


def _text(value: Any) -> str:
    """A value as text; half of a surrogate pair, which no encoding has, becomes ``?``."""
    return str(value).encode("utf-8", "replace").decode()


@lru_cache(maxsize=256)
def _chosen_keys(
    keys: tuple[str, ...],
) -> tuple[tuple[tuple[str, ...], ...], str | None, float | None]:
    """For an object with these keys: those of each field, that of the duration, and its units per second if certain."""
    fields = tuple(tuple(key for key in names if key in keys) for names in KEYS.values())
    for key in keys:
        if match := _WITH_UNIT_KEY.fullmatch(key):
            return fields, key, _PER_S[match["unit"] or match["short"]]
    if "duration" in keys and "request.proto" in keys:  # Caddy
        return fields, "duration", 1.0
    if "duration" in keys and "downstreamstatus" in keys:  # Traefik
        return fields, "duration", 1e9
    durations = [key for key in keys if re.fullmatch(_DURATION_KEYS, key)]
    named = [key for key in durations if key == "request_time"]
    return fields, next(iter([*named, *durations]), None), None


class JsonForm:
    """A log of one JSON object per line, and what its lines decide about each of them."""

    refusal = texts.NO_JSON_REQUEST

    def __init__(self) -> None:
        self._has_fraction = False
        self._unread = 0

    def match(self, body: pl.DataFrame) -> pl.DataFrame:
        """The fields of each line."""
        return json_fields(body)

    def observe(self, frame: pl.DataFrame) -> None:
        """Take account of some of the lines."""
        self._has_fraction = self._has_fraction or has_fraction(frame)

    def is_open(self, frame: pl.DataFrame) -> bool:
        """Whether lines that follow the observed ones can change what those of ``frame`` mean."""
        text = frame["duration_text"].drop_nulls()
        return not self._has_fraction and bool((text != UNKNOWN_UNIT).any())

    def last_try(self, log: Log, frame: pl.DataFrame) -> tuple[Log, pl.DataFrame]:
        """Log and fields after the last line."""
        return log, frame

    def with_values(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` with ``reason``, durations in seconds and other fields as those of plain logs."""
        if self._has_fraction:
            frame = with_seconds(frame)
        has_request = pl.any_horizontal(pl.col("request", "target").is_not_null())
        is_request = has_request & pl.col("status").str.contains("^[0-9]{3}$")
        no_object = pl.all_horizontal(pl.col(*COLUMNS).is_null())
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
        self._unread += frame.filter(
            pl.col("reason").is_null() & pl.col("duration_s").is_null() & pl.col("duration_text").is_not_null()
        ).height  # fmt: skip
        return frame.drop("time", "is_other_logger")

    def warnings(self) -> list[str]:
        """Warnings about the lines that were read."""
        return [texts.ambiguous_duration(self._unread)] if self._unread else []
