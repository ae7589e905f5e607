"""The content of run.json: typed records of what it says, and its problems."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.raw import texts
from pipeline.raw.facts import MAX_FACTS
from pipeline.raw.logs import log_kind, strip_compression_suffix
from pipeline.raw.manifest import ManifestReader, bounded, format_issue, json_path, json_quote
from pipeline.raw.records import (
    CLIENT,
    INFERRED,
    INT64,
    RUN_FORMAT,
    LogInfo,
    Role,
    VirtualServer,
    Window,
    Workload,
    is_safe_name,
)

MAX_CLOCK_OFFSET_NS = 366 * 86_400 * 10**9
"""A year: a clock with a larger offset was not set."""
MAX_RATE_PER_S = 1e7
MAX_THINK_TIME_S = 86_400.0
MAX_CLOCK_UNCERTAINTY_NS = 3_600 * 10**9
MAX_POPULATION = 100_000
"""Threads of a load generator."""
MAX_VIRTUAL_SERVERS = 64
"""Virtual servers of one host; each has tables, charts and checks of its own."""
MAX_ENTRIES = {"roles": 2 * MAX_VIRTUAL_SERVERS, "virtual_servers": MAX_VIRTUAL_SERVERS}
MAX_LOGS = 10_000
"""Files of logs that run.json states something about."""
CLOCK_STEP_NS = 10**9
"""By so much a window may begin before or end after the one around it: they are read one after the other."""
ONE_CLOCK_NS = 10**6
"""Largest measured offset between the clock of a machine and itself."""
CLIENT_KINDS = ("httperf", "sysbench")
NOT_NULL = ("server_processes", "qemu_process", "virtual_disk", "host_disk")
"""Keys of a virtual server that are left out where they do not apply."""
TIMES = ("recorded", INFERRED)
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class RunManifest:
    """What run.json says: typed, without the values that are not valid, which are ``issues``."""

    window: Window | None
    idle_before: Window | None
    accelerator: str | None
    roles: dict[str, Role]
    virtual_servers: dict[str, VirtualServer]
    issues: tuple[str, ...]
    times: str | None = None
    window_times: str | None = None
    logs: dict[str, LogInfo] = field(default_factory=dict)
    checksums: dict[str, str] | None = None
    """File below the run's folder → its SHA-256; None where run.json has no checksums."""


def parse_manifest(top: Mapping[str, Any], names: Mapping[str, str]) -> RunManifest:
    """The manifest in the object of a run.json.

    ``names``: those of the folders of its study, server and run, by these keys.
    """
    issues: list[str] = []
    reader = ManifestReader("run.json", issues)
    if not top:
        return RunManifest(None, None, None, {}, {}, ())
    if top.get("format") != RUN_FORMAT:
        issues.append(format_issue("run.json", top, RUN_FORMAT))
    for key, folder in names.items():
        name_in_manifest = reader.safe_name(top, "", key, required=True)
        if name_in_manifest is not None and name_in_manifest != folder:
            reader.add_issue(
                key,
                texts.differs_from_folder(json_quote(name_in_manifest), json_quote(folder)),
            )
    window = reader.window(top, "", "window", required=True)
    idle_before = reader.window(top, "", "before", required=False)
    accelerator = reader.text(top, "", "accelerator", choices=("kvm", "tcg"))
    times, window_times = (
        reader.text(parent, where, "times", choices=TIMES)
        for parent, where in ((top, ""), (reader.object(top, "", "window") or {}, "window"))
    )

    roles: dict[str, Role] = {}
    for name, where, value in _objects(reader, top, "roles"):
        offset = reader.integer(
            value, where, "clock_offset_ns", required=name != CLIENT,
            low=-MAX_CLOCK_OFFSET_NS, high=MAX_CLOCK_OFFSET_NS,
        )  # fmt: skip
        roles[name] = Role(
            name=name,
            hostname=reader.text(value, where, "hostname"),
            boot_id=reader.text(value, where, "boot_id"),
            clock_offset_ns=offset,
            clock_uncertainty_ns=reader.integer(
                value, where, "clock_uncertainty_ns", low=0, high=MAX_CLOCK_UNCERTAINTY_NS
            ),
            time_zone=reader.time_zone(value, where, "time_zone"),
            tools=reader.texts(value, where, "tools"),
            cpus=reader.integer(value, where, "cpus", low=1, high=MAX_FACTS["cpus"]),
        )

        _check_offset(reader, value, where, roles[name])
    _check_one_clock(reader, roles)

    servers: dict[str, VirtualServer] = {}
    for name, where, value in _objects(reader, top, "virtual_servers"):
        if (role := reader.safe_name(value, where, "role", required=True)) is not None:
            for key in NOT_NULL:
                if key in value and value[key] is None:
                    reader.add_issue(f"{where}.{key}", texts.IS_NULL)
            if roles and role not in roles:
                reader.add_issue(f"{where}.role", texts.unknown_role(json_quote(role)))
            servers[name] = VirtualServer(
                name=name,
                role=role,
                workload=_workload(reader, value, where),
                server_processes=reader.pattern(value, where, "server_processes"),
                qemu_process=reader.pattern(value, where, "qemu_process"),
                virtual_disk=reader.device(value, where, "virtual_disk"),
                host_disk=reader.device(value, where, "host_disk"),
                access_format=reader.text(value, where, "access_format"),
            )
    _check_loads(reader, servers, window)
    if window and idle_before and idle_before.end_ns > window.start_ns + CLOCK_STEP_NS:
        reader.add_issue("before", texts.overlaps_window("window"))
    logs, checksums = _log_infos(reader, top), _checksums(reader, top)
    return RunManifest(
        window, idle_before, accelerator, roles, servers, tuple(bounded("run.json", issues)),
        times, window_times, logs, checksums,
    )  # fmt: skip


def _check_offset(reader: ManifestReader, entry: Mapping[str, Any], where: str, role: Role) -> None:
    """The clock offset of a role against the measurements before and after the run."""
    clock = reader.object(entry, where, "clock") or {}
    low, high = [], []
    for when in ("before", "after"):
        measured = reader.object(clock, f"{where}.clock", when) or {}
        at = f"{where}.clock.{when}"
        offset = reader.integer(
            measured, at, "offset_ns", low=-MAX_CLOCK_OFFSET_NS, high=MAX_CLOCK_OFFSET_NS
        )
        error = reader.integer(measured, at, "uncertainty_ns", low=0, high=MAX_CLOCK_UNCERTAINTY_NS)
        if offset is not None and error is not None:
            low.append(offset - error)
            high.append(offset + error)
    offset = role.clock_offset_ns
    if low and offset is not None and not min(low) <= offset <= max(high):
        message = texts.other_offset(offset, min(low), max(high))
        reader.add_issue(f"{where}.clock_offset_ns", message)


def _check_one_clock(reader: ManifestReader, roles: Mapping[str, Role]) -> None:
    """Offsets of roles that are the client's machine."""
    client = roles.get(CLIENT)
    for name, role in roles.items():
        offset = role.clock_offset_ns or 0
        is_client = client is not None and role.boot_id and role.boot_id == client.boot_id
        if is_client and abs(offset) > ONE_CLOCK_NS + (role.clock_uncertainty_ns or 0):
            reader.add_issue(f"roles.{name}.clock_offset_ns", texts.offset_of_one_clock(offset))


def _check_loads(
    reader: ManifestReader, servers: Mapping[str, VirtualServer], window: Window | None
) -> None:
    """The loads against the window of the run, and against one another."""
    servers_of_log: dict[str, str] = {}
    for name, server in servers.items():
        work, where = server.workload, f"virtual_servers.{name}.workload"
        if work is None:
            continue
        inner = work.window or window
        if (
            window is not None
            and inner is not None
            and not (
                window.start_ns - CLOCK_STEP_NS <= inner.start_ns
                and inner.end_ns <= window.end_ns + CLOCK_STEP_NS
            )
        ):
            reader.add_issue(where, texts.outside_window("window"))
        think_s = work.think_time_s
        if think_s and inner is not None and think_s >= inner.duration_s:
            message = texts.long_think_time(think_s, inner.duration_s)
            reader.add_issue(f"{where}.think_time_s", message)
        if work.log is not None and servers_of_log.setdefault(work.log, name) != name:
            reader.add_issue(f"{where}.log", texts.shared_log(servers_of_log[work.log]))


def _log_infos(reader: ManifestReader, top: Mapping[str, Any]) -> dict[str, LogInfo]:
    """What run.json states about files of logs, by their paths below the run's folder without .gz or .zst."""
    infos = {}
    for name, value in _first(reader, reader.object(top, "", "logs") or {}, "logs", MAX_LOGS):
        where = json_path("logs", name)
        if not is_log_path(name):
            reader.add_issue("logs", texts.not_a_log_path(json_quote(name)))
            continue
        if not isinstance(value, dict):
            reader.add_issue(where, texts.must_be(texts.OBJECT, json_quote(value)))
            continue
        devices = reader.get(value, where, "devices", False, texts.DEVICES, _are_devices)
        times = reader.get(value, where, "snapshot_times_ns", False, texts.TIMES, _are_times)
        infos[name] = LogInfo(
            date=reader.get(value, where, "date", False, texts.DATE, _is_date),
            devices=tuple(devices or ()),
            snapshot_times_ns=tuple(times or ()),
            start_ns=reader.integer(value, where, "start_ns", low=0),
            interval_s=reader.number(
                value, where, "interval_s", high=MAX_FACTS["interval_s"], positive=True
            ),
        )
    return infos


def _checksums(reader: ManifestReader, top: Mapping[str, Any]) -> dict[str, str] | None:
    """The SHA-256 of files below the run's folder; None where run.json has none."""
    value = reader.object(top, "", "sha256")
    if value is None:
        return None
    checksums = {}
    for name, digest in value.items():
        if not is_log_path(name):
            reader.add_issue("sha256", texts.not_a_log_path(json_quote(name)))
        elif not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
            reader.add_issue(
                json_path("sha256", name), texts.must_be(texts.SHA256, json_quote(digest))
            )
        else:
            checksums[name] = digest
    return checksums


def is_log_path(value: str) -> bool:
    """Whether ``value`` has the form ``role/name`` with safe names."""
    names = value.split("/")
    return len(names) == 2 and all(map(is_safe_name, names))


def _are_devices(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(name, str) and is_safe_name(name.replace("!", "_")) for name in value
    )


def _are_times(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(time, int) and not isinstance(time, bool) and 0 <= time < INT64 for time in value
    )


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _first(
    reader: ManifestReader, entries: Mapping[str, Any], key: str, limit: int
) -> list[tuple[str, Any]]:
    """The first entries of an object; more are a problem."""
    if len(entries) > limit:
        reader.add_issue(key, texts.too_many(len(entries), limit))
    return list(entries.items())[:limit]


def _objects(
    reader: ManifestReader, top: Mapping[str, Any], key: str
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, path and object of each entry of ``key``; other names and values are issues."""
    entries = reader.object(top, "", key, required=True)
    if entries == {}:
        reader.add_issue(key, texts.IS_EMPTY)
    entries = entries or {}
    for name, value in _first(reader, entries, key, MAX_ENTRIES[key]):
        where = json_path(key, name)
        if not is_safe_name(name):
            reader.add_issue(key, texts.unsafe_key(json_quote(name)))
        elif not isinstance(value, dict):
            reader.add_issue(where, texts.must_be(texts.OBJECT, json_quote(value)))
        else:
            yield name, where, value


def _workload(reader: ManifestReader, parent: Mapping[str, Any], where: str) -> Workload | None:
    value = reader.object(parent, where, "workload")
    if value is None:
        return None
    where = f"{where}.workload"
    kind = reader.text(value, where, "kind", required=True, choices=("open", "closed"))
    if kind is None:
        return None
    log = reader.text(value, where, "log")
    if log is not None and not is_log_path(log):
        reader.add_issue(f"{where}.log", texts.not_a_log_path(json_quote(log)))
        log = None
    elif log is not None and log_kind(log) not in CLIENT_KINDS:
        reader.add_issue(f"{where}.log", texts.must_be(texts.CLIENT_LOG, json_quote(log)))
        log = None
    has_window = {"start_ns", "end_ns"} & value.keys()
    return Workload(
        kind=kind,
        rate_per_s=reader.number(
            value, where, "rate_per_s", required=kind == "open", high=MAX_RATE_PER_S, positive=True
        ),
        arrivals=reader.text(value, where, "arrivals", choices=("even", "poisson")),
        population=reader.integer(
            value, where, "population", required=kind == "closed", low=1, high=MAX_POPULATION
        ),
        think_time_s=reader.number(value, where, "think_time_s", high=MAX_THINK_TIME_S),
        request=reader.text(value, where, "request"),
        log=None if log is None else strip_compression_suffix(log),
        window=reader.window_of(value, where) if has_window else None,
    )
