"""One run on disk: run.json, logs, problems and missing logs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.raw import texts
from pipeline.raw.logs import find_logs, log_kind, strip_compression_suffix
from pipeline.raw.manifest import (
    MAX_FACTS_BYTES,
    ManifestReader,
    format_issue,
    is_inside,
    json_path,
    json_quote,
    read_json,
)
from pipeline.raw.records import (
    CLIENT,
    FACTS_FORMAT,
    HOST,
    INFERRED,
    INT64,
    RUN_FORMAT,
    SAMPLED_KINDS,
    SERVER_LOG,
    Log,
    LogInfo,
    MissingLog,
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
TIMES = ("recorded", INFERRED)
MAX_FACTS = {
    "clock_ticks_per_s": 10_000, "kernel_hz": 10_000, "cpus": 65_536, "interval_s": 3_600,
    "memory_bytes": 2**53, "page_bytes": 2**30,
}  # fmt: skip
"""Numbers of facts.json and their maxima; all are above 0. An invalid number becomes None, so that quantities that
depend on it are missing, with a reason, and not wrong."""


@dataclass(frozen=True)
class Run:
    """One run on disk. ``manifest`` is the content of run.json ({} if it cannot be read)."""

    study: str
    server: str
    run: str
    path: Path
    manifest: dict[str, Any] = field(repr=False, compare=False)
    manifest_issues: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def id(self) -> str:
        """``study/server/run``, as on the command line."""
        return f"{self.study}/{self.server}/{self.run}"

    @property
    def window(self) -> Window | None:
        """The window of the load, on the client's clock in UTC; None if run.json has none."""
        return self._manifest.window

    @property
    def idle_before(self) -> Window | None:
        """The idle baseline before the load, on the client's clock in UTC; None if there is none."""
        return self._manifest.idle_before

    @property
    def has_inferred_times(self) -> bool:
        """Whether the clocks of its logs were inferred (``queuevisor import``)."""
        return self._manifest.times == INFERRED

    @property
    def has_inferred_window(self) -> bool:
        """Whether the window of the load was inferred from the logs (``queuevisor import``)."""
        return self._manifest.window_times == INFERRED

    @property
    def is_imported(self) -> bool:
        """Whether it was made of logs that were recorded by hand: none but those that it lists are expected."""
        return self.has_inferred_times or self.has_inferred_window

    def log_info(self, path: Path) -> LogInfo:
        """What run.json states about one file of a log; empty where it states nothing."""
        return self._manifest.logs.get(strip_compression_suffix(self.name_of(path)), LogInfo())

    @property
    def accelerator(self) -> str | None:
        """``kvm`` or ``tcg``."""
        return self._manifest.accelerator

    @property
    def notes(self) -> list[str]:
        """What the recorder noted, or how ``queuevisor import`` inferred a value."""
        notes = self.manifest.get("notes")
        return [str(note) for note in notes] if isinstance(notes, list) else []

    @property
    def roles(self) -> dict[str, Role]:
        """The recorded machines by role."""
        return dict(self._manifest.roles)

    @property
    def virtual_servers(self) -> dict[str, VirtualServer]:
        """The virtual servers by name."""
        return dict(self._manifest.virtual_servers)

    def clock_offset_ns(self, role: str) -> int | None:
        """Clock of the role minus clock of the client; None if unknown, 0 for the client itself."""
        machine = self._manifest.roles.get(role)
        offset = None if machine is None else machine.clock_offset_ns
        return 0 if offset is None and role == CLIENT else offset

    def is_host_itself(self, role: str) -> bool:
        """Whether a role and the host are one machine: they have the same boot id."""
        ids = [self._boot_id(name) for name in (role, HOST)]
        return role != HOST and ids[0] is not None and ids[0] == ids[1]

    def _boot_id(self, role: str) -> str | None:
        machine = self._manifest.roles.get(role)
        boot_id = (
            machine.boot_id if machine and machine.boot_id else self.facts(role).get("boot_id")
        )
        return boot_id if isinstance(boot_id, str) and boot_id else None

    def facts(self, role: str) -> dict[str, Any]:
        """Content of facts.json of a role, with ``cpus`` of run.json where it has none.

        {} if neither has anything (see ``problems()``).
        """
        facts, machine = self._facts(role)[0], self._manifest.roles.get(role)
        if facts.get("cpus") is None and machine is not None and machine.cpus is not None:
            facts["cpus"] = machine.cpus
        return facts

    def log(self, role: str, kind: str) -> Log | None:
        """The log of that kind and role, or None."""
        return next((log for log in self.logs() if (log.role, log.kind) == (role, kind)), None)

    def client_log(self, virtual_server: str) -> Log | None:
        """The load generator's log of a virtual server, or None."""
        server = self._manifest.virtual_servers.get(virtual_server)
        if server is None or server.workload is None or server.workload.log is None:
            return None
        return next(
            (
                log
                for log in self.logs()
                if strip_compression_suffix(log.name) == server.workload.log
            ),
            None,
        )

    def logs(self) -> list[Log]:
        """All logs of the run, by role and file name."""
        return list(self._files[0])

    def missing(self) -> list[MissingLog]:
        """Logs that run.json requires and that do not exist."""
        return list(self._missing)

    def problems(self) -> list[str]:
        """Problems of the run, missing logs included: sentences that start with the file."""
        issues = [*self.manifest_issues, *self._manifest.issues, *self._files[1]]
        for role in sorted({*self._manifest.roles, *(log.role for log in self._files[0])}):
            if not (self.is_imported and not (self.path / role / "facts.json").exists()):
                issues += self._facts(role)[1]
        issues += [f"{missing.name}: {texts.MISSING}" for missing in self._missing]
        return list(dict.fromkeys(issues))

    def files(self) -> list[Path]:
        """All files that the results depend on: manifests and logs, in a fixed order."""
        facts = [self.path / role / "facts.json" for role in self._folders]
        paths = [self.path / "run.json", *facts, *(p for log in self.logs() for p in log.files)]
        return [path for path in paths if path.is_file() and is_inside(path, self.path)]

    def name_of(self, path: Path) -> str:
        """Path of a file relative to the run's folder, with ``/``."""
        return path.relative_to(self.path).as_posix()

    # Read once and cached: the folder does not change meanwhile.

    @cached_property
    def _manifest(self) -> _Manifest:
        return _parse_manifest(self)

    @cached_property
    def _folders(self) -> list[str]:
        try:
            folders = sorted(entry for entry in self.path.iterdir() if entry.is_dir())
        except OSError:
            return []
        return [
            folder.name
            for folder in folders
            if is_safe_name(folder.name) and is_inside(folder, self.path)
        ]

    @cached_property
    def _files(self) -> tuple[list[Log], list[str]]:
        return find_logs(self.path, self._folders)

    @cached_property
    def _missing(self) -> list[MissingLog]:
        return _find_missing(self)

    def _facts(self, role: str) -> tuple[dict[str, Any], list[str]]:
        if not is_safe_name(role):
            return {}, []
        name = f"{role}/facts.json"
        path = self.path / role / "facts.json"
        facts, issues = read_json(path, name, self.path, MAX_FACTS_BYTES)
        if facts and facts.get("format") != FACTS_FORMAT:
            issues = [*issues, format_issue(name, facts, FACTS_FORMAT)]
        reader = ManifestReader(name, issues)
        for key, high in MAX_FACTS.items():
            if (
                facts.get(key) is not None
                and reader.number(facts, "", key, high=high, positive=True) is None
            ):
                facts[key] = None
        return facts, issues


@dataclass(frozen=True)
class _Manifest:
    window: Window | None
    idle_before: Window | None
    accelerator: str | None
    roles: dict[str, Role]
    virtual_servers: dict[str, VirtualServer]
    issues: tuple[str, ...]
    times: str | None = None
    window_times: str | None = None
    logs: dict[str, LogInfo] = field(default_factory=dict)


def _parse_manifest(run: Run) -> _Manifest:
    issues: list[str] = []
    reader = ManifestReader("run.json", issues)
    top = run.manifest
    if not top:
        return _Manifest(None, None, None, {}, {}, ())
    if top.get("format") != RUN_FORMAT:
        issues.append(format_issue("run.json", top, RUN_FORMAT))
    for key in ("study", "server", "run"):
        name_in_manifest, folder = reader.safe_name(top, "", key, required=True), getattr(run, key)
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
        tools = reader.object(value, where, "tools") or {}
        offset = reader.integer(
            value, where, "clock_offset_ns", required=name != CLIENT,
            low=-MAX_CLOCK_OFFSET_NS, high=MAX_CLOCK_OFFSET_NS,
        )  # fmt: skip
        roles[name] = Role(
            name=name,
            hostname=reader.text(value, where, "hostname"),
            boot_id=reader.text(value, where, "boot_id"),
            clock_offset_ns=offset,
            clock_uncertainty_ns=reader.integer(value, where, "clock_uncertainty_ns", low=0),
            time_zone=reader.text(value, where, "time_zone"),
            tools={key: str(tool) for key, tool in tools.items()},
            cpus=reader.integer(value, where, "cpus", low=1, high=MAX_FACTS["cpus"]),
        )

    servers: dict[str, VirtualServer] = {}
    for name, where, value in _objects(reader, top, "virtual_servers"):
        if (role := reader.safe_name(value, where, "role", required=True)) is not None:
            if roles and role not in roles:
                reader.add_issue(f"{where}.role", texts.unknown_role(json_quote(role)))
            servers[name] = VirtualServer(
                name=name,
                role=role,
                workload=_workload(reader, value, where),
                server_processes=reader.pattern(value, where, "server_processes"),
                qemu_process=reader.pattern(value, where, "qemu_process"),
                virtual_disk=reader.text(value, where, "virtual_disk"),
                host_disk=reader.text(value, where, "host_disk"),
                access_format=reader.text(value, where, "access_format"),
            )
    return _Manifest(
        window, idle_before, accelerator, roles, servers, tuple(issues), times, window_times,
        _log_infos(reader, top),
    )  # fmt: skip


def _log_infos(reader: ManifestReader, top: Mapping[str, Any]) -> dict[str, LogInfo]:
    """What run.json states about files of logs, by their paths below the run's folder without .gz or .zst."""
    infos = {}
    for name, value in (reader.object(top, "", "logs") or {}).items():
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


def is_log_path(value: str) -> bool:
    """Whether ``value`` has the form ``role/name`` with safe names."""
    names = value.split("/")
    return len(names) == 2 and all(map(is_safe_name, names))


def _are_devices(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and name for name in value)


def _are_times(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(time, int) and not isinstance(time, bool) and 0 <= time < INT64 for time in value
    )


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _objects(
    reader: ManifestReader, top: Mapping[str, Any], key: str
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, path and object of each entry of ``key``; other names and values are issues."""
    for name, value in (reader.object(top, "", key, required=True) or {}).items():
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
    has_window = {"start_ns", "end_ns"} & value.keys()
    return Workload(
        kind=kind,
        rate_per_s=reader.number(
            value, where, "rate_per_s", required=kind == "open", high=MAX_RATE_PER_S, positive=True
        ),
        arrivals=reader.text(value, where, "arrivals", choices=("even", "poisson")),
        population=reader.integer(value, where, "population", required=kind == "closed", low=1),
        think_time_s=reader.number(value, where, "think_time_s", high=MAX_THINK_TIME_S),
        request=reader.text(value, where, "request"),
        log=None if log is None else strip_compression_suffix(log),
        window=reader.window_of(value, where) if has_window else None,
    )


def _find_missing(run: Run) -> list[MissingLog]:
    expected: dict[str, MissingLog] = {}

    def expect(role: str, kind: str, name: str) -> None:
        expected.setdefault(name, MissingLog(role, kind, name))

    for name in run._manifest.logs:
        expect(name.split("/")[0], log_kind(name) or "", name)
    for role in run._manifest.roles:
        if role != CLIENT and not run.is_imported:
            for kind in SAMPLED_KINDS:
                expect(role, kind, f"{role}/{kind}.log")
    for server in run._manifest.virtual_servers.values():
        for kind in SAMPLED_KINDS if not run.is_imported else ():
            expect(server.role, kind, f"{server.role}/{kind}.log")
        work = server.workload
        if work is None:
            continue
        kind = None if run.is_imported else SERVER_LOG.get(work.request or "")
        if kind is not None:
            expect(server.role, kind, f"{server.role}/{kind}.log")
        if work.log is not None:
            role = work.log.split("/")[0]
            expect(role, log_kind(work.log) or "client", work.log)
    present = {
        strip_compression_suffix(name)
        for log in run.logs()
        for name in (log.name, *map(run.name_of, log.files))
    }
    return sorted(
        (missing for name, missing in expected.items() if name not in present), key=lambda m: m.name
    )
