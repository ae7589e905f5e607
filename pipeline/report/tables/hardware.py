"""Hardware of a physical server as names and values: resources in study.json, settings of its CPU in facts.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

UNIT_SUFFIXES = {"_per_s": "/s", "_us": "µs", "_ms": "ms", "_s": "s"}
"""Suffix of a key → its unit; the longest first."""
CAPITALIZED = {"cpu": "CPU", "cpus": "CPUs"}
MIB = 1 << 20
NO_SMT = ("notsupported", "notimplemented")
"""What the kernel says of a machine without SMT."""


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


def setting_items(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Name and value, as text, of each setting of a machine's CPU that its facts.json has.

    They decide how much work a CPU second is. A value that the machine does not provide (null) has no item.
    """
    smt, frequency = (facts.get(key) for key in ("smt", "cpu_frequency"))
    values: dict[str, object] = {}
    if isinstance(smt, Mapping) and smt.get("control") not in NO_SMT:
        values["SMT"] = smt.get("active")
    if isinstance(frequency, Mapping):
        values |= {
            "CPU frequency driver": _join(frequency.get("drivers")),
            "frequency governor": _join(frequency.get("governors")),
            "turbo": frequency.get("turbo"),
            "CPU frequency": _gigahertz(frequency.get("min_khz"), frequency.get("max_khz")),
        }
    for name, value in values.items():
        if isinstance(value, bool):
            yield name, "on" if value else "off"
        elif isinstance(value, str) and value:
            yield name, value


def _join(names: object) -> str | None:
    return ", ".join(map(str, names)) if isinstance(names, list) else None


def _gigahertz(lows: object, highs: object) -> str | None:
    """The low end of one range to the high end of another, in GHz; None unless both are [low, high] in kHz."""
    ends = []
    for limits, index in ((lows, 0), (highs, -1)):
        if not isinstance(limits, list) or not limits or not isinstance(limits[index], int):
            return None
        ends.append(f"{limits[index] / 1e6:.3g}")
    return f"{' to '.join(dict.fromkeys(ends))} GHz"


def disk_setting(facts: Mapping[str, object], device: str | None) -> str | None:
    """Scheduler and kind of a disk, as text; None where facts.json has no scheduler of it."""
    devices = facts.get("block_devices")
    for entry in devices if isinstance(devices, list) else ():
        if isinstance(entry, Mapping) and entry.get("name") == device and entry.get("scheduler"):
            kind = {True: ", rotational", False: ", not rotational"}.get(
                entry.get("rotational"), ""
            )
            return f"{device}: scheduler {entry['scheduler']}{kind}"
    return None
