"""What a physical server is, from study.json's keys to words that a reader knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

UNITS = {"_per_s": "/s", "_us": "µs", "_ms": "ms", "_s": "s"}
"""What ends a key, and the unit that it says; the longest first."""
WORDS = {"cpu": "CPU", "cpus": "CPUs"}
MIB = 1 << 20


def hardware_items(envelope: object) -> Iterator[tuple[str, str]]:
    """Each thing that an envelope says of its server: what it is, and how much, as text.

    ``cpus`` are numbers of processors and not a count; ``memory_bytes`` is told in MiB; other units are those that
    keys end with. Nothing for an envelope that is no mapping.
    """
    for key, value in envelope.items() if isinstance(envelope, Mapping) else ():
        if key != "title":
            yield _told(str(key), value)


def _told(key: str, value: object) -> tuple[str, str]:
    """``seek_min_ms``, 0.1 → ``seek min``, ``0.1 ms``."""
    if key == "cpus" and isinstance(value, list):
        return "runs on CPU", ", ".join(f"number {plain(one)}" for one in value)
    if key == "cpu_quota":
        return "CPU quota", f"{plain(value)} CPU"
    if key.endswith("_bytes"):
        return _name(key.removesuffix("_bytes")), _sizes(value)
    if key == "bytes_per_s" and isinstance(value, int | float):
        return "transfer", f"{value / 1e6:,.6g} MB/s"
    for ending, unit in UNITS.items():
        if key.endswith(ending):
            return _name(key.removesuffix(ending)), f"{plain(value)} {unit}"
    return _name(key), plain(value)


def _name(key: str) -> str:
    return " ".join(WORDS.get(word, word) for word in key.split("_"))


def _sizes(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_sizes(each)}" for name, each in value.items())
    if isinstance(value, int) and value >= MIB:
        return f"{value / MIB:,.6g} MiB"
    return f"{plain(value)} bytes"


def plain(value: object) -> str:
    """A value of a manifest in words."""
    if isinstance(value, Mapping):
        return "; ".join(" ".join(_told(str(key), each)) for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(plain(each) for each in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
