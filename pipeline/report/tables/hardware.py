"""Hardware of a physical server: the resources in study.json as names and values for a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

UNIT_SUFFIXES = {"_per_s": "/s", "_us": "µs", "_ms": "ms", "_s": "s"}
"""Suffix of a key → its unit; the longest first."""
CAPITALIZED = {"cpu": "CPU", "cpus": "CPUs"}
MIB = 1 << 20


def hardware_items(resources: object) -> Iterator[tuple[str, str]]:
    """Name and value, as text, of each resource that study.json gives for a server.

    ``cpus`` is a list of CPU numbers, not a count; ``memory_bytes`` is shown in MiB; other units are those of the keys'
    suffixes. Nothing where ``resources`` is not a mapping.
    """
    for key, value in resources.items() if isinstance(resources, Mapping) else ():
        if key != "title":
            yield _item(str(key), value)


def _item(key: str, value: object) -> tuple[str, str]:
    """``seek_min_ms``, 0.1 → ``seek min``, ``0.1 ms``."""
    if key == "cpus" and isinstance(value, list):
        return "CPUs used (numbers)", format_value(value)
    if key == "cpu_quota":
        return "CPU quota", f"{format_value(value)} CPU"
    if key.endswith("_bytes"):
        return _name(key.removesuffix("_bytes")), _format_bytes(value)
    if key == "bytes_per_s" and isinstance(value, int | float):
        return "transfer", f"{value / 1e6:,.6g} MB/s"
    for suffix, unit in UNIT_SUFFIXES.items():
        if key.endswith(suffix):
            return _name(key.removesuffix(suffix)), f"{format_value(value)} {unit}"
    return _name(key), format_value(value)


def _name(key: str) -> str:
    return " ".join(CAPITALIZED.get(word, word) for word in key.split("_"))


def _format_bytes(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_format_bytes(each)}" for name, each in value.items())
    if isinstance(value, int) and value >= MIB:
        return f"{value / MIB:,.6g} MiB"
    return f"{format_value(value)} bytes"


def format_value(value: object) -> str:
    """A value of study.json as text."""
    if isinstance(value, Mapping):
        return "; ".join(" ".join(_item(str(key), each)) for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(format_value(each) for each in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
