"""The demands file, ``queuevisor-demands/1``: a plan as JSON. Keys: docs/background/ground-truth.md."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args

from pipeline.raw import is_safe_name
from pipeline.raw.manifest import ManifestReader, format_issue, json_path, json_quote, read_json
from pipeline.synthetic.kernel_counters import SECTOR_BYTES
from pipeline.synthetic.plan import (
    ARRIVALS_SCV,
    Accelerator,
    Background,
    CpuCounter,
    DiskCounter,
    Kind,
    Load,
    Monitoring,
    Plan,
    PlanError,
    Scheduling,
    Server,
    VirtualServer,
)

DEMANDS_FORMAT = "queuevisor-demands/1"

CHOICES: dict[str, tuple[str, ...]] = {
    "kind": get_args(Kind),
    "scheduling": get_args(Scheduling),
    "cpu_counter": get_args(CpuCounter),
    "disk_counter": get_args(DiskCounter),
    "accelerator": get_args(Accelerator),
}
MIN_INTEGERS = {"queue_depth": 1, "operation_bytes": 512, "requests_per_process": 0, "threads": 1}
"""Whole numbers and their minimum."""
MIN_VALUES = {"seconds": 1.0, "before_seconds": 5.0, "interval_s": 0.1}
MAX_INTEGERS = {
    "queue_depth": 10_000,
    "operation_bytes": 1 << 30,
    "requests_per_process": 1_000_000_000,
    "threads": 10_000,
}
MAX_VALUES = {
    "seconds": 86_400.0,
    "before_seconds": 86_400.0,
    "interval_s": 3_600.0,
    "jitter_s": 60.0,
    "disk_operations": 10_000.0,
    "think_time_s": 3_600.0,
}
MAX_VALUE = 1e6
"""Largest number in a demands file, where there is no other limit."""
SHARES = ("write_share", "exit_share", "server_cpu", "other_cpu")

EXAMPLE: dict[str, Any] = {
    "format": DEMANDS_FORMAT,
    "title": "A web and a database server with known demands, on two hosts",
    "seconds": 120,
    "before_seconds": 30,
    "accelerator": "kvm",
    "servers": {
        "first": {"title": "The host that the demands are given for"},
        "second": {"title": "A slower host", "cpu_times": 2.0, "disk_times": 3.0},
    },
    "virtual_servers": {
        "web": {
            "kind": "open",
            "cpu_s": 0.006,
            "cpu_after_reply_s": 0.002,
            "disk_operations": 0.5,
            "disk_s": 0.004,
            "layer_s": 0.0005,
            "host_disk": "loop0",
        },
        "db": {
            "kind": "closed",
            "cpu_s": 0.015,
            "disk_operations": 3,
            "disk_s": 0.003,
            "layer_s": 0.0005,
            "write_share": 0.3,
            "host_disk": "loop1",
        },
    },
    "runs": {
        "web-020-even": {"web": {"rate_per_s": 20, "arrivals": "even"}},
        "web-020-poisson": {"web": {"rate_per_s": 20, "arrivals": "poisson"}},
        "web-050-poisson": {"web": {"rate_per_s": 50, "arrivals": "poisson"}},
        "db-01": {"db": {"threads": 1}},
        "db-04": {"db": {"threads": 4}},
        "both-020-04": {
            "web": {"rate_per_s": 20, "arrivals": "poisson"},
            "db": {"threads": 4},
        },
    },
}
"""The plan that is simulated without a demands file; missing keys have their defaults."""


def read_plan(path: Path) -> Plan:
    """The plan in a demands file. Raises :class:`PlanError` that lists all its issues."""
    document, issues = read_json(path, path.name, path.resolve().parent)
    if issues:
        raise PlanError("; ".join(issues))
    return parse_plan(document, path.name)


def parse_plan(document: Mapping[str, Any], name: str = "demands") -> Plan:
    """The plan of a demands document. Raises :class:`PlanError`, also for unknown keys."""
    issues: list[str] = []
    read = ManifestReader(name, issues)
    if document.get("format") != DEMANDS_FORMAT:
        raise PlanError(format_issue(name, document, DEMANDS_FORMAT))
    _unknown(read, document, "", {*_defaults(Plan), *_defaults(Monitoring), "format"})
    virtual = _records(read, document, "virtual_servers", VirtualServer)
    servers = _records(read, document, "servers", Server) or {"first": Server("first")}
    runs = {
        key: {
            server: _load(read, load, json_path(json_path("runs", key), server))
            for server, load in value.items()
        }
        for key, value in _objects(read, document, "runs")
    }
    parts = ("virtual_servers", "servers", "runs", "monitoring")
    plan_values, monitoring_values = (
        {
            key: _value(read, document, "", key, default)
            for key, default in _defaults(record).items()
            if key in document and key not in parts
        }
        for record in (Plan, Monitoring)
    )
    if not runs:
        read.add_issue("runs", "is missing or empty")
    if issues:
        raise PlanError("; ".join(issues))
    try:
        return Plan(
            virtual, runs, servers, monitoring=Monitoring(**monitoring_values), **plan_values
        )
    except PlanError as error:
        raise PlanError(f"{name}: {error}") from None


def _defaults(record: type) -> dict[str, Any]:
    """The default of each field; None if it has none."""
    return {
        field.name: None if field.default is MISSING else field.default for field in fields(record)
    }


def _objects(
    read: ManifestReader, parent: Mapping[str, Any], key: str
) -> list[tuple[str, dict[str, Any]]]:
    """The objects in an object, by name."""
    objects = []
    for name, value in (read.object(parent, "", key) or {}).items():
        if not is_safe_name(name):
            read.add_issue(key, f"has an unsafe name: {json_quote(name)}")
        elif not isinstance(value, dict):
            read.add_issue(json_path(key, name), f"must be a JSON object (got {json_quote(value)})")
        else:
            objects.append((name, value))
    return objects


def _unknown(
    read: ManifestReader, parent: Mapping[str, Any], where: str, allowed: Collection[str]
) -> None:
    for key in parent:
        if key not in allowed:
            read.add_issue(
                json_path(where, key), f"is unknown; choose from {', '.join(sorted(allowed))}"
            )


def _records(
    read: ManifestReader, document: Mapping[str, Any], key: str, record: type
) -> dict[str, Any]:
    """The dataclasses in an object, by name."""
    return {
        name: _record(read, value, json_path(key, name), record, name=name)
        for name, value in _objects(read, document, key)
    }


def _record(
    read: ManifestReader, parent: Mapping[str, Any], where: str, record: type, **values: Any
) -> Any:
    """A dataclass from an object; ``values``: fields that the object does not have."""
    defaults = _defaults(record)
    allowed = [key for key in defaults if key not in values]
    _unknown(read, parent, where, allowed)
    for key in allowed:
        if key == "background":
            if key in parent:
                inner = read.object(parent, where, key) or {}
                values[key] = _record(read, inner, json_path(where, key), Background)
        elif key in parent:
            values[key] = _value(read, parent, where, key, defaults[key])
        elif defaults[key] is None:
            read.get(parent, where, key, True)
            values[key] = "open" if key == "kind" else 0.0
    return record(**values)


def _value(
    read: ManifestReader, parent: Mapping[str, Any], where: str, key: str, default: Any
) -> Any:
    """One value, of its default's type; invalid values are reported and replaced by the default."""
    if key in CHOICES:
        return read.text(parent, where, key, required=True, choices=CHOICES[key]) or CHOICES[key][0]
    if key == "host_disk":
        return read.safe_name(parent, where, key, required=True) or default
    if key == "title":
        return read.text(parent, where, key, required=True) or default
    if isinstance(default, bool):
        if not isinstance(parent[key], bool):
            read.add_issue(
                json_path(where, key), f"must be true or false (got {json_quote(parent[key])})"
            )
        return bool(parent[key])
    if key in MIN_INTEGERS:
        value = read.integer(
            parent, where, key, required=True, low=MIN_INTEGERS[key], high=MAX_INTEGERS[key]
        )
        if key == "operation_bytes" and value and value % SECTOR_BYTES:
            read.add_issue(json_path(where, key), f"must be whole sectors of {SECTOR_BYTES} bytes")
        return value or default
    value = read.number(parent, where, key, required=True, high=MAX_VALUES.get(key, MAX_VALUE))
    if value is None:
        return default or 0.0
    if key in SHARES and value >= 1:
        read.add_issue(json_path(where, key), f"must be a share below 1 (got {value:g})")
    if value < MIN_VALUES.get(key, 0.0):
        read.add_issue(
            json_path(where, key), f"must be {MIN_VALUES[key]:g} or more (got {value:g})"
        )
    return value


def _load(read: ManifestReader, value: Any, where: str) -> Load:
    if not isinstance(value, dict):
        read.add_issue(where, f"must be a JSON object (got {json_quote(value)})")
        return Load()
    _unknown(read, value, where, {"rate_per_s", "arrivals", "threads", "think_time_s"})
    arrivals = value.get("arrivals", "poisson")
    scv = ARRIVALS_SCV.get(arrivals) if isinstance(arrivals, str) else arrivals
    if isinstance(scv, bool) or not isinstance(scv, int | float) or not 0 <= scv <= 100:
        names = ", ".join(ARRIVALS_SCV)
        read.add_issue(
            json_path(where, "arrivals"), f"must be {names} or a c² (got {json_quote(arrivals)})"
        )
        scv = 1.0
    return Load(
        rate_per_s=read.number(value, where, "rate_per_s", high=MAX_VALUE),
        arrivals_scv=float(scv),
        threads=read.integer(value, where, "threads", low=1, high=MAX_INTEGERS["threads"]),
        think_time_s=read.number(value, where, "think_time_s", high=MAX_VALUES["think_time_s"])
        or 0.0,
    )
