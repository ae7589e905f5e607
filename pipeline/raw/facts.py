"""facts.json of a machine: what its collector read about it, with the values checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.raw import texts
from pipeline.raw.manifest import (
    MAX_FACTS_BYTES,
    ManifestReader,
    format_issue,
    is_time_zone,
    json_quote,
    read_json,
)
from pipeline.raw.records import FACTS_FORMAT, Role

MAX_FACTS = {
    "clock_ticks_per_s": 10_000, "kernel_hz": 10_000, "cpus": 65_536, "interval_s": 3_600,
    "memory_bytes": 2**53, "page_bytes": 2**24,
}  # fmt: skip
"""Numbers of facts.json and their maxima; all are above 0. An invalid value becomes None, so that quantities that
depend on it are missing, with a reason, and not wrong."""
WHOLE = ("clock_ticks_per_s", "kernel_hz", "cpus", "memory_bytes", "page_bytes")
"""Those that are whole numbers."""
TEXTS = (
    "role", "hostname", "boot_id", "kernel", "kernel_build", "os", "machine", "cpu_model", "time_zone",
    "cpuidle_driver", "only",
)  # fmt: skip
OBJECTS = (
    "tools", "commands", "virtualization", "smt", "cpu_frequency", "kernel_counters", "collector_cost",
)  # fmt: skip


def read_facts(run: Path, role: str, machine: Role | None) -> tuple[dict[str, Any], list[str]]:
    """The facts of a role, and their problems; {} without a facts.json.

    Parameters
    ----------
    run : Path
        The run's folder.
    role : str
        A safe name.
    machine : Role, optional
        What run.json says of it, which is compared.
    """
    name, folder = f"{role}/facts.json", run / role
    facts, issues = read_json(folder / "facts.json", name, folder, MAX_FACTS_BYTES)
    if not facts:
        return facts, issues
    if facts.get("format") != FACTS_FORMAT:
        issues.append(format_issue(name, facts, FACTS_FORMAT))
    reader = ManifestReader(name, issues)
    for key, high in MAX_FACTS.items():
        if key in WHOLE:
            _keep(facts, key, reader.integer(facts, "", key, low=1, high=high))
        else:
            _keep(facts, key, reader.number(facts, "", key, high=high, positive=True))
    for key in TEXTS:
        _keep(facts, key, reader.text(facts, "", key))
    for key in OBJECTS:
        _keep(facts, key, reader.object(facts, "", key))
    _keep(facts, "tools", reader.texts(facts, "", "tools"))
    for key, expected, is_valid in (
        ("block_devices", texts.OBJECTS, _are_objects),
        ("open_file_limit", texts.NUMBERS, _are_numbers),
    ):
        _keep(facts, key, reader.get(facts, "", key, False, expected, is_valid))
    page_bytes, zone = facts.get("page_bytes"), facts.get("time_zone")
    if page_bytes is not None and page_bytes & (page_bytes - 1):
        reader.add_issue("page_bytes", texts.must_be(texts.POWER_OF_2, str(page_bytes)))
        facts["page_bytes"] = None
    if zone and not is_time_zone(zone):
        reader.add_issue("time_zone", texts.must_be(texts.TIME_ZONE, json_quote(zone)))
        facts["time_zone"] = None
    _compare(reader, facts, role, machine)
    return facts, issues


def _keep(facts: dict[str, Any], key: str, valid: Any) -> None:
    """Leave out a value that is not valid."""
    if facts.get(key) is not None:
        facts[key] = valid


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        item is None or (isinstance(item, int) and not isinstance(item, bool)) for item in value
    )


def _compare(
    reader: ManifestReader, facts: dict[str, Any], role: str, machine: Role | None
) -> None:
    """What facts.json says against the name of its folder and against run.json."""
    stated = facts.get("role")
    if stated is not None and stated != role:
        reader.add_issue("role", texts.other_in_folder(json_quote(stated), json_quote(role)))
    if machine is None:
        return
    for key in ("boot_id", "time_zone", "cpus"):
        value, other = facts.get(key), getattr(machine, key)
        if value is not None and other is not None and value != other:
            reader.add_issue(key, texts.other_in_run(json_quote(value), json_quote(other)))
