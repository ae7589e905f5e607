"""The raw run on disk: find it, read its manifests, say which logs it has and what is wrong.

A raw run is a folder ``data/raw/<study>/<server>/<run>/`` (docs/reference/raw-run.md). Nothing here
parses a log and nothing here writes. What is wrong with a run is told by ``problems()``, one
sentence each, and never stops the rest; ``BundleError`` is kept for a question that cannot be
answered (no such folder, no such run).

Sentences begin with the file, relative to the run's (or study's) folder, so that the same run gives
the same sentences wherever it lies.

Example
-------
>>> from pipeline import bundle
>>> for run in bundle.runs("data/raw", study="kvm-case-study"):   # doctest: +SKIP
...     print(run.id, run.window.duration_s, [log.name for log in run.logs()], run.problems())
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

RUN_FORMAT = "queuevisor-run/1"
STUDY_FORMAT = "queuevisor-study/1"
FACTS_FORMAT = "queuevisor-facts/1"

CLIENT = "client"
HOST = "host"

SUFFIXES = ("", ".zst", ".gz")
"""A log's name may end in one of these; of several forms of one log the first is read."""

KINDS = {
    "top.log": "top",
    "iotop.log": "iotop",
    "block.log": "block",
    "tasks.log": "tasks",
    "access.log": "access",
    "general.log": "general",
    "httperf.log": "httperf",
    "sysbench.log": "sysbench",
}
"""Which kind of log a file name says, without a ``.gz`` or ``.zst``."""

SAMPLED_KINDS = ("top", "iotop", "block", "tasks")
"""The logs that every recorded machine but the client has."""

SERVER_LOG = {"HTTP request": "access", "transaction": "general"}
"""Which log a server writes of its own, by what its workload's request is."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
_INT64 = 2**63


class BundleError(Exception):
    """A question about raw runs without an answer; names the file, and the line if there is one."""

    def __init__(self, reason: str, file: Path | str | None = None, line: int | None = None):
        self.reason, self.file, self.line = reason, file, line
        where = "" if file is None else f"{file}: " if line is None else f"{file}, line {line}: "
        super().__init__(where + reason)


def is_plain(name: object) -> bool:
    """Whether ``name`` is plain: letters, digits, ``.``, ``_``, ``-``, not hidden, not too long.

    Such a name cannot leave its folder, and means the same on every file system and in a hive
    partition.
    """
    return (
        isinstance(name, str)
        and _NAME.fullmatch(name) is not None
        and len(name) <= 128
        and name != "__HIVE_DEFAULT_PARTITION__"
    )


@dataclass(frozen=True)
class Window:
    """A stretch of time, nanoseconds since 1970 (UTC)."""

    start_ns: int
    end_ns: int

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9

    def shifted(self, offset_ns: int) -> Window:
        """The same stretch on a clock that is ``offset_ns`` ahead of this one."""
        return Window(self.start_ns + offset_ns, self.end_ns + offset_ns)


@dataclass(frozen=True)
class Role:
    """One recorded machine. What run.json does not say is None."""

    name: str
    hostname: str | None = None
    boot_id: str | None = None
    clock_offset_ns: int | None = None
    """The machine's clock minus the client's."""
    clock_uncertainty_ns: int | None = None
    time_zone: str | None = None
    tools: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Workload:
    """The load on one virtual server."""

    kind: str
    """``open`` or ``closed``."""
    rate_per_s: float | None = None
    arrivals: str | None = None
    population: int | None = None
    think_time_s: float | None = None
    request: str | None = None
    log: str | None = None
    """The load generator's log, relative to the run's folder (without .gz or .zst)."""
    window: Window | None = None
    """This load's own window, client's clock."""


@dataclass(frozen=True)
class VirtualServer:
    """One virtual server: where its logs lie, what loads it, how its parts are told."""

    name: str
    role: str
    workload: Workload | None = None
    server_processes: str | None = None
    qemu_process: str | None = None
    virtual_disk: str | None = None
    host_disk: str | None = None


@dataclass(frozen=True)
class Log:
    """One log of a run that exists."""

    role: str
    kind: str
    path: Path
    name: str
    """Relative to the run's folder, e.g. ``host/top.log.zst``."""


@dataclass(frozen=True)
class Missing:
    """One log that the run should have and has not."""

    role: str
    kind: str
    name: str
    """Relative to the run's folder, e.g. ``host/top.log``."""


# --- reading JSON, with every fault as a sentence


def _read_json(path: Path, name: str) -> tuple[dict[str, Any], list[str]]:
    """The object in ``path`` and what is wrong with it; an empty one if it cannot be read."""
    twice: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in items:
            if key in seen:
                twice.append(f"{name}: the key {_quoted(key)} stands twice in one object")
            seen[key] = value
        return seen

    def constant(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}, [f"{name}: missing"]
    except OSError as error:
        return {}, [f"{name}: cannot be read: {error.strerror or error}"]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return {}, [f"{name}, line {line}: not UTF-8 text (byte {error.start + 1} of the file)"]
    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        return {}, [f"{name}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}"]
    except RecursionError:
        return {}, [f"{name}: not JSON: nested too deep"]
    except ValueError as error:
        return {}, [f"{name}: not JSON: {error}"]
    if not isinstance(value, dict):
        return {}, [f"{name}, line 1: an object was expected, not {type(value).__name__}"]
    return value, twice


def _quoted(value: object) -> str:
    """``value`` for a sentence: one line, no control characters, not endless."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 80 else text[:77] + '..."'


def _listed(names: list[str]) -> str:
    """The first few names, and how many there are."""
    few = ", ".join(_quoted(name) for name in names[:3])
    return few if len(names) <= 3 else f"{few} … ({len(names)} in all)"


class _Reader:
    """Typed access to parsed JSON; what is not as it should be becomes a sentence and a None."""

    def __init__(self, name: str, faults: list[str]):
        self.name, self.faults = name, faults

    def fault(self, where: str, what: str) -> None:
        self.faults.append(f"{self.name}: {where} {what}")

    def get(self, parent: Mapping[str, Any], where: str, key: str, need: bool) -> Any:
        value = parent.get(key)
        if value is None and need:
            self.fault(_at(where, key), "is missing")
        return value

    def text(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        *,
        need: bool = False,
        among: tuple[str, ...] | None = None,
    ) -> str | None:
        value = self.get(parent, where, key, need)
        if value is None:
            return None
        if not isinstance(value, str):
            self.fault(_at(where, key), f"should be text, not {_quoted(value)}")
            return None
        if among is not None and value not in among:
            self.fault(
                _at(where, key), f"should be one of {', '.join(among)}, not {_quoted(value)}"
            )
            return None
        return value

    def name_of(
        self, parent: Mapping[str, Any], where: str, key: str, *, need: bool = False
    ) -> str | None:
        value = self.text(parent, where, key, need=need)
        if value is not None and not is_plain(value):
            self.fault(_at(where, key), f"is not a plain name: {_quoted(value)}")
            return None
        return value

    def pattern(self, parent: Mapping[str, Any], where: str, key: str) -> str | None:
        value = self.text(parent, where, key)
        if value is not None:
            try:
                re.compile(value)
            except (re.error, OverflowError, RecursionError) as error:
                self.fault(_at(where, key), f"is not a regular expression: {error}")
                return None
        return value

    def integer(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        *,
        need: bool = False,
        low: int = -_INT64,
    ) -> int | None:
        value = self.get(parent, where, key, need)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value < _INT64:
            least = "" if low == -_INT64 else f" of {low} or more"
            self.fault(_at(where, key), f"should be a whole number{least}, not {_quoted(value)}")
            return None
        return value

    def number(
        self, parent: Mapping[str, Any], where: str, key: str, *, need: bool = False
    ) -> float | None:
        value = self.get(parent, where, key, need)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300:
            self.fault(_at(where, key), f"should be a number of 0 or more, not {_quoted(value)}")
            return None
        return float(value)

    def object(
        self, parent: Mapping[str, Any], where: str, key: str, *, need: bool = False
    ) -> dict[str, Any] | None:
        value = self.get(parent, where, key, need)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(_at(where, key), f"should be an object, not {_quoted(value)}")
            return None
        return value

    def window(
        self, parent: Mapping[str, Any], where: str, key: str, *, need: bool
    ) -> Window | None:
        value = self.object(parent, where, key, need=need)
        return None if value is None else self.window_of(value, _at(where, key))

    def window_of(self, value: Mapping[str, Any], where: str) -> Window | None:
        start = self.integer(value, where, "start_ns", need=True, low=0)
        end = self.integer(value, where, "end_ns", need=True, low=0)
        if start is None or end is None:
            return None
        if end <= start:
            self.fault(where, f"ends ({end}) before it starts ({start})")
            return None
        return Window(start, end)


def _at(where: str, key: str) -> str:
    key = key if is_plain(key) else _quoted(key)
    return f"{where}.{key}" if where else key


# --- one run


@dataclass(frozen=True)
class Run:
    """One experiment on disk. ``manifest`` is run.json as it stands ({} if it cannot be read)."""

    study: str
    server: str
    run: str
    path: Path
    manifest: dict[str, Any] = field(repr=False, compare=False)
    manifest_faults: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def id(self) -> str:
        """``study/server/run``, the run's name on the command line."""
        return f"{self.study}/{self.server}/{self.run}"

    @property
    def window(self) -> Window | None:
        """The load, client's UTC clock; None if run.json does not say."""
        return self._read.window

    @property
    def before(self) -> Window | None:
        """The idle before-state, client's UTC clock; None if there was none."""
        return self._read.before

    @property
    def accelerator(self) -> str | None:
        """``kvm`` or ``tcg``."""
        return self._read.accelerator

    @property
    def roles(self) -> dict[str, Role]:
        """The recorded machines by role."""
        return dict(self._read.roles)

    @property
    def virtual_servers(self) -> dict[str, VirtualServer]:
        """The virtual servers by name."""
        return dict(self._read.virtual_servers)

    def clock_offset_ns(self, role: str) -> int | None:
        """The role's clock minus the client's; None if unknown, 0 for the client itself."""
        known = self._read.roles.get(role)
        if known is None:
            return 0 if role == CLIENT else None
        return 0 if known.clock_offset_ns is None and role == CLIENT else known.clock_offset_ns

    def facts(self, role: str) -> dict[str, Any]:
        """facts.json of a role; {} where it cannot be read, which ``problems()`` tells."""
        return self._facts(role)[0]

    def log(self, role: str, kind: str) -> Log | None:
        """The log of that kind in that role, if the run has it."""
        return next((log for log in self.logs() if (log.role, log.kind) == (role, kind)), None)

    def client_log(self, virtual_server: str) -> Log | None:
        """The load generator's log of a virtual server's workload, if the run has it."""
        known = self._read.virtual_servers.get(virtual_server)
        if known is None or known.workload is None or known.workload.log is None:
            return None
        return next((log for log in self.logs() if _stem(log.name) == known.workload.log), None)

    def logs(self) -> list[Log]:
        """Every log that exists, in a stable order (role, then file name)."""
        return list(self._files[0])

    def missing(self) -> list[Missing]:
        """Every log that the run should have by what run.json says, and has not."""
        return list(self._missing)

    def problems(self) -> list[str]:
        """What is wrong with the run or missing from it: sentences that begin with the file."""
        faults = [*self.manifest_faults, *self._read.faults, *self._files[1]]
        for role in sorted({*self._read.roles, *(log.role for log in self._files[0])}):
            faults += self._facts(role)[1]
        faults += [f"{lost.name}: missing" for lost in self._missing]
        return list(dict.fromkeys(faults))

    def files(self) -> list[Path]:
        """Every file that the run's numbers come from: manifests and logs, in a stable order."""
        facts = [self.path / role / "facts.json" for role in self._folders]
        found = [self.path / "run.json", *facts, *(log.path for log in self.logs())]
        return [path for path in found if path.is_file()]

    def name_of(self, path: Path) -> str:
        """A file of the run, relative to its folder, with ``/``."""
        return path.relative_to(self.path).as_posix()

    # What follows is read once and kept: the folder does not change under us.

    @cached_property
    def _read(self) -> _Manifest:
        return _manifest(self)

    @cached_property
    def _folders(self) -> list[str]:
        try:
            found = sorted(entry.name for entry in self.path.iterdir() if entry.is_dir())
        except OSError:
            return []
        return [name for name in found if is_plain(name)]

    @cached_property
    def _files(self) -> tuple[list[Log], list[str]]:
        return _find_logs(self)

    @cached_property
    def _missing(self) -> list[Missing]:
        return _find_missing(self)

    def _facts(self, role: str) -> tuple[dict[str, Any], list[str]]:
        if not is_plain(role):
            return {}, []
        name = f"{role}/facts.json"
        facts, faults = _read_json(self.path / role / "facts.json", name)
        if facts and facts.get("format") != FACTS_FORMAT:
            faults = [*faults, _format_fault(name, facts, FACTS_FORMAT)]
        return facts, faults


@dataclass(frozen=True)
class _Manifest:
    window: Window | None
    before: Window | None
    accelerator: str | None
    roles: dict[str, Role]
    virtual_servers: dict[str, VirtualServer]
    faults: tuple[str, ...]


def _format_fault(name: str, manifest: Mapping[str, Any], wanted: str) -> str:
    if "format" not in manifest:
        return f"{name}: format is missing; {wanted} was expected"
    return f"{name}: format is {_quoted(manifest['format'])}; this version reads {wanted}"


def _manifest(run: Run) -> _Manifest:
    faults: list[str] = []
    read = _Reader("run.json", faults)
    top = run.manifest
    if not top:
        return _Manifest(None, None, None, {}, {}, ())
    if top.get("format") != RUN_FORMAT:
        faults.append(_format_fault("run.json", top, RUN_FORMAT))
    for key in ("study", "server", "run"):
        said, folder = read.name_of(top, "", key, need=True), getattr(run, key)
        if said is not None and said != folder:
            read.fault(
                key,
                f"is {_quoted(said)}, but the folder says {_quoted(folder)}; the folder is used",
            )
    window = read.window(top, "", "window", need=True)
    before = read.window(top, "", "before", need=False)
    accelerator = read.text(top, "", "accelerator", among=("kvm", "tcg"))

    roles: dict[str, Role] = {}
    for name, value in (read.object(top, "", "roles", need=True) or {}).items():
        where = _at("roles", name)
        if not is_plain(name):
            read.fault("roles", f"has a name that is not plain: {_quoted(name)}")
        elif not isinstance(value, dict):
            read.fault(where, f"should be an object, not {_quoted(value)}")
        else:
            tools = read.object(value, where, "tools") or {}
            offset = read.integer(value, where, "clock_offset_ns", need=name != CLIENT)
            roles[name] = Role(
                name=name,
                hostname=read.text(value, where, "hostname"),
                boot_id=read.text(value, where, "boot_id"),
                clock_offset_ns=offset,
                clock_uncertainty_ns=read.integer(value, where, "clock_uncertainty_ns", low=0),
                time_zone=read.text(value, where, "time_zone"),
                tools={key: str(tool) for key, tool in tools.items()},
            )

    servers: dict[str, VirtualServer] = {}
    for name, value in (read.object(top, "", "virtual_servers", need=True) or {}).items():
        where = _at("virtual_servers", name)
        if not is_plain(name):
            read.fault("virtual_servers", f"has a name that is not plain: {_quoted(name)}")
        elif not isinstance(value, dict):
            read.fault(where, f"should be an object, not {_quoted(value)}")
        elif (role := read.name_of(value, where, "role", need=True)) is not None:
            if roles and role not in roles:
                read.fault(f"{where}.role", f"is {_quoted(role)}, which is not among roles")
            servers[name] = VirtualServer(
                name=name,
                role=role,
                workload=_workload(read, value, where),
                server_processes=read.pattern(value, where, "server_processes"),
                qemu_process=read.pattern(value, where, "qemu_process"),
                virtual_disk=read.text(value, where, "virtual_disk"),
                host_disk=read.text(value, where, "host_disk"),
            )
    return _Manifest(window, before, accelerator, roles, servers, tuple(faults))


def _workload(read: _Reader, parent: Mapping[str, Any], where: str) -> Workload | None:
    value = read.object(parent, where, "workload")
    if value is None:
        return None
    where = f"{where}.workload"
    kind = read.text(value, where, "kind", need=True, among=("open", "closed"))
    if kind is None:
        return None
    log = read.text(value, where, "log")
    if log is not None and not (all(map(is_plain, log.split("/"))) and len(log.split("/")) == 2):
        read.fault(f"{where}.log", f"is not a file of this run (role/name.log): {_quoted(log)}")
        log = None
    own = {"start_ns", "end_ns"} & value.keys()
    return Workload(
        kind=kind,
        rate_per_s=read.number(value, where, "rate_per_s", need=kind == "open"),
        arrivals=read.text(value, where, "arrivals", among=("even", "poisson")),
        population=read.integer(value, where, "population", need=kind == "closed", low=1),
        think_time_s=read.number(value, where, "think_time_s"),
        request=read.text(value, where, "request"),
        log=None if log is None else _stem(log),
        window=read.window_of(value, where) if own else None,
    )


def _stem(name: str) -> str:
    """A log's name without ``.gz`` or ``.zst``."""
    return name.removesuffix(".zst").removesuffix(".gz")


def kind_of(name: str) -> str | None:
    """The kind of log that a file's name says, or None: ``db/general.log.zst`` → ``general``."""
    base = _stem(name.rsplit("/", 1)[-1])
    known = KINDS.get(base)
    if known is None and base.endswith(".log"):
        # `httperf-web.log`: several loads of one tool, side by side
        known = next(
            (k for f, k in KINDS.items() if base.startswith(f.removesuffix(".log") + "-")), None
        )
    return known


def _find_logs(run: Run) -> tuple[list[Log], list[str]]:
    logs: list[Log] = []
    faults: list[str] = []
    try:
        strange = sorted(e.name for e in run.path.iterdir() if e.is_dir() and not is_plain(e.name))
    except OSError as error:
        return [], [f".: cannot be read: {error.strerror or error}"]
    faults += [f"{_quoted(name)}: not a plain name; the folder is not read" for name in strange]
    for role in run._folders:
        found: dict[str, list[tuple[int, Path]]] = {}
        try:
            entries = sorted((run.path / role).iterdir())
        except OSError as error:
            faults.append(f"{role}: cannot be read: {error.strerror or error}")
            continue
        for path in entries:
            base = _stem(path.name)
            if kind_of(path.name) is None:
                if ".log" in path.name:
                    faults.append(
                        f"{role}/{_quoted(path.name)[1:-1]}: no name of a log; it is not read"
                    )
            elif not is_plain(path.name):
                faults.append(
                    f"{role}/{_quoted(path.name)[1:-1]}: not a plain name; it is not read"
                )
            elif not path.is_file():
                faults.append(f"{role}/{path.name}: not a file; it is not read")
            else:
                rank = SUFFIXES.index(path.name.removeprefix(base)) if path.name != base else 0
                found.setdefault(base, []).append((rank, path))
        for base in sorted(found):
            (_, path), *others = sorted(found[base])
            logs.append(Log(role, str(kind_of(base)), path, f"{role}/{path.name}"))
            faults += [f"{role}/{p.name}: not read, {path.name} is there too" for _, p in others]
    return logs, faults


def _find_missing(run: Run) -> list[Missing]:
    wanted: dict[str, Missing] = {}

    def want(role: str, kind: str, name: str) -> None:
        wanted.setdefault(name, Missing(role, kind, name))

    for role in run._read.roles:
        if role != CLIENT:
            for kind in SAMPLED_KINDS:
                want(role, kind, f"{role}/{kind}.log")
    for server in run._read.virtual_servers.values():
        for kind in SAMPLED_KINDS:
            want(server.role, kind, f"{server.role}/{kind}.log")
        work = server.workload
        if work is None:
            continue
        if (kind := SERVER_LOG.get(work.request or "")) is not None:
            want(server.role, kind, f"{server.role}/{kind}.log")
        if work.log is not None:
            role = work.log.split("/")[0]
            want(role, kind_of(work.log) or "client", work.log)
    there = {_stem(log.name) for log in run.logs()}
    return sorted(
        (lost for name, lost in wanted.items() if name not in there), key=lambda m: m.name
    )


# --- studies, and finding runs


@dataclass(frozen=True)
class Study:
    """One study on disk. ``manifest`` is study.json as it stands ({} if it cannot be read)."""

    name: str
    path: Path
    manifest: dict[str, Any] = field(repr=False, compare=False)
    manifest_faults: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def title(self) -> str:
        """Its title, or its name."""
        title = self.manifest.get("title")
        return title if isinstance(title, str) and title else self.name

    @property
    def servers(self) -> list[str]:
        """The servers that were recorded (folders), in study.json's order, then by name."""
        said = self.manifest.get("servers")
        order = list(said) if isinstance(said, dict) else []
        rank = {name: number for number, name in enumerate(order)}
        return sorted(_subfolders(self.path)[0], key=lambda name: (rank.get(name, len(rank)), name))

    @property
    def held_out(self) -> tuple[str, ...]:
        """``server/run`` of the runs that no model may be fitted to."""
        said = self.manifest.get("held_out")
        return (
            tuple(name for name in said if isinstance(name, str)) if isinstance(said, list) else ()
        )

    @property
    def case_study(self) -> dict[str, str]:
        """Virtual server → the run whose numbers fill Tables I and II."""
        said = self.manifest.get("case_study")
        return (
            {k: v for k, v in said.items() if isinstance(v, str)} if isinstance(said, dict) else {}
        )

    def purpose(self, server: str, run: str) -> str | None:
        """What study.json says a run is for: ``case-study`` or ``load-sweep``."""
        here: Any = self.manifest.get("runs")
        for key in (server, run, "purpose"):
            here = here.get(key) if isinstance(here, dict) else None
        return here if isinstance(here, str) else None

    def runs(self, server: str | None = None, run: str | None = None) -> list[Run]:
        """The study's runs in the order of their names."""
        found = []
        for where in sorted(_subfolders(self.path)[0]):
            if server in (None, where):
                for name in sorted(_subfolders(self.path / where)[0]):
                    if run in (None, name):
                        found.append(_run(self.name, where, name, self.path / where / name))
        return found

    def problems(self) -> list[str]:
        """What is wrong with the study itself; what is wrong with a run is told by the run."""
        faults = list(self.manifest_faults)
        top = self.manifest
        read = _Reader("study.json", faults)
        if top:
            if top.get("format") != STUDY_FORMAT:
                faults.append(_format_fault("study.json", top, STUDY_FORMAT))
            said = read.name_of(top, "", "study", need=True)
            if said is not None and said != self.name:
                read.fault("study", f"is {_quoted(said)}, but the folder says {_quoted(self.name)}")
            for key in ("servers", "virtual_servers", "workloads", "runs", "case_study"):
                read.object(top, "", key, need=key in ("servers", "virtual_servers"))
        servers, strange = _subfolders(self.path)
        faults += [f"{_quoted(name)}: not a plain name; the folder is not read" for name in strange]
        there = set()
        for server in sorted(servers):
            runs, strange = _subfolders(self.path / server)
            there |= {f"{server}/{run}" for run in runs}
            faults += [
                f"{server}/{_quoted(name)}: not a plain name; the folder is not read"
                for name in strange
            ]
        planned = top.get("runs") if isinstance(top.get("runs"), dict) else {}
        plans = {k: v for k, v in planned.items() if isinstance(v, dict)}
        lost = [f"{k}/{run}" for k, v in plans.items() for run in v if f"{k}/{run}" not in there]
        if lost:
            read.fault("runs", f"plans what is not there: {_listed(lost)}")
        lost = [name for name in self.held_out if name not in there]
        if lost:
            read.fault("held_out", f"names what is not there: {_listed(lost)}")
        for server, run in self.case_study.items():
            if not any(f"{where}/{run}" in there for where in servers):
                read.fault(_at("case_study", server), f"names {_quoted(run)}, which is not there")
        return list(dict.fromkeys(faults))


def _subfolders(path: Path) -> tuple[list[str], list[str]]:
    """Folders of ``path`` with plain names, and the others; hidden ones are nobody's."""
    try:
        names = sorted(e.name for e in path.iterdir() if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return [], []
    return [n for n in names if is_plain(n)], [n for n in names if not is_plain(n)]


def _run(study: str, server: str, run: str, path: Path) -> Run:
    manifest, faults = _read_json(path / "run.json", "run.json")
    return Run(study, server, run, path, manifest, tuple(faults))


def studies(raw: Path | str) -> list[Study]:
    """The studies in ``raw``: its folders that have a study.json, by name."""
    raw = Path(raw)
    if not raw.is_dir():
        raise BundleError("no such folder of raw runs", raw)
    found = []
    for name in _subfolders(raw)[0]:
        if (raw / name / "study.json").exists():
            manifest, faults = _read_json(raw / name / "study.json", "study.json")
            found.append(Study(name, raw / name, manifest, tuple(faults)))
    return found


def problems(raw: Path | str) -> list[str]:
    """What is wrong with ``raw`` itself: studies whose names are not plain."""
    return [
        f"{_quoted(name)}: not a plain name; the study is not read"
        for name in _subfolders(Path(raw))[1]
        if (Path(raw) / name / "study.json").exists()
    ]


def runs(
    raw: Path | str, study: str | None = None, server: str | None = None, run: str | None = None
) -> list[Run]:
    """The runs in ``raw`` of that study, server and name (None: all), by study, server and run."""
    return [
        found
        for known in studies(raw)
        if study in (None, known.name)
        for found in known.runs(server, run)
    ]


def get(raw: Path | str, study: str, server: str, run: str) -> Run:
    """One run; ``BundleError`` that names the nearest if it is not there."""
    found = runs(raw, study, server, run)
    if not found:
        raise _unknown(f"{study}/{server}/{run}", [r.id for r in runs(raw)], raw)
    return found[0]


def select(raw: Path | str, ids: Iterable[str] = ()) -> list[Run]:
    """The runs that ``ids`` name, each once, by name; all of them if there are no ids.

    An id is ``study/server/run``, or the beginning of one: ``study``, ``study/server``,
    ``study/server/db-``. A path below ``raw`` does too. An id that names no run is an error that
    tells the nearest.
    """
    every = {run.id: run for run in runs(raw)}
    chosen: set[str] = set()
    none = True
    for wanted in ids:
        none = False
        hits = set(_matching(_normal(raw, wanted), every))
        if not hits:
            raise _unknown(wanted, list(every), raw)
        chosen |= hits
    return [run for name, run in every.items() if none or name in chosen]


def _normal(raw: Path | str, wanted: str) -> str:
    inside = Path(raw).as_posix().rstrip("/") + "/"
    return wanted.removeprefix("./").removeprefix(inside.removeprefix("./"))


def _matching(wanted: str, every: Iterable[str]) -> Iterator[str]:
    whole = wanted.rstrip("/")
    names = list(every)
    exact = [name for name in names if name == whole or name.startswith(whole + "/")]
    if exact or not whole or wanted.endswith("/"):
        yield from exact if whole else ()
    else:
        yield from (name for name in names if name.startswith(whole))


def _unknown(wanted: str, every: list[str], raw: Path | str) -> BundleError:
    names = list(dict.fromkeys(n for i in every for n in (i, i.rsplit("/", 1)[0], i.split("/")[0])))
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    if not every:
        hint = "there are no runs there"
    elif near:
        hint = f"the nearest: {', '.join(near)}"
    else:
        hint = f"there are {len(every)} runs, the first is {every[0]}"
    return BundleError(f"no run is called {_quoted(wanted)}; {hint}", raw)
