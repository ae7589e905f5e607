"""One run on disk: run.json, logs, problems and missing logs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pipeline.raw import texts
from pipeline.raw.facts import read_facts
from pipeline.raw.logs import (
    find_logs,
    find_roles,
    folder_problem,
    is_file,
    log_kind,
    strip_compression_suffix,
)
from pipeline.raw.manifest import is_inside, read_json
from pipeline.raw.records import (
    CLIENT,
    HOST,
    INFERRED,
    SAMPLED_KINDS,
    SERVER_LOG,
    Log,
    LogInfo,
    MissingLog,
    Role,
    VirtualServer,
    Window,
    is_safe_name,
)
from pipeline.raw.run_manifest import RunManifest, parse_manifest
from pipeline.redact import redact_line


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
    def checksums(self) -> dict[str, str] | None:
        """SHA-256 by run.json of each log and facts.json, by its path below the folder; None where it has none."""
        checksums = self._manifest.checksums
        return None if checksums is None else dict(checksums)

    @property
    def accelerator(self) -> str | None:
        """``kvm`` or ``tcg``."""
        return self._manifest.accelerator

    @property
    def notes(self) -> list[str]:
        """What the recorder noted, or how ``queuevisor import`` inferred a value."""
        notes = self.manifest.get("notes")
        return [redact_line(str(note)) for note in notes] if isinstance(notes, list) else []

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
        facts, machine = dict(self._read_facts(role)[0]), self._manifest.roles.get(role)
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
        return list(self._problems)

    def forget_files(self) -> None:
        """Free the list of the run's files, which is read again if it is asked for; its problems are kept."""
        for name in ("_folders", "_files", "_missing"):
            self.__dict__.pop(name, None)

    def files(self) -> list[Path]:
        """All files that the results depend on: manifests and logs, in a fixed order."""
        facts = [self.path / role / "facts.json" for role in self._folders[0]]
        paths = [self.path / "run.json", *facts, *(p for log in self.logs() for p in log.files)]
        return [path for path in paths if is_file(path) and is_inside(path, path.parent)]

    def name_of(self, path: Path) -> str:
        """Path of a file relative to the run's folder, with ``/``."""
        return path.relative_to(self.path).as_posix()

    # Read once and cached: the folder does not change meanwhile.

    @cached_property
    def _manifest(self) -> RunManifest:
        names = {"study": self.study, "server": self.server, "run": self.run}
        return parse_manifest(self.manifest, names)

    @cached_property
    def _folders(self) -> tuple[list[str], list[str]]:
        return find_roles(self.path)

    @cached_property
    def _files(self) -> tuple[list[Log], list[str]]:
        return find_logs(self.path, self._folders[0])

    @cached_property
    def _missing(self) -> list[MissingLog]:
        return _find_missing(self)

    @cached_property
    def _problems(self) -> tuple[str, ...]:
        issues = [*self.manifest_issues, *self._manifest.issues, *self._folders[1], *self._files[1]]
        unreadable = [role for role in self._folders[0] if folder_problem(self.path / role)]
        for role in sorted({*self._manifest.roles, *(log.role for log in self._files[0])}):
            if role in unreadable:
                continue
            if not self.is_imported or os.path.lexists(self.path / role / "facts.json"):
                issues += self._read_facts(role)[1]
        issues += [
            f"{missing.name}: {texts.MISSING}"
            for missing in self._missing
            if missing.role not in unreadable
        ]
        return tuple(dict.fromkeys(issues))

    def _read_facts(self, role: str) -> tuple[dict[str, Any], list[str]]:
        if not is_safe_name(role) or any(
            issue.startswith(f"{role}: ") for issue in self._folders[1]
        ):
            return {}, []  # a problem of the folder
        return read_facts(self.path, role, self._manifest.roles.get(role))


def read_run(study: str, server: str, run: str, path: Path) -> Run:
    """The run of these names in the folder ``path``."""
    manifest, issues = read_json(path / "run.json", "run.json", path)
    return Run(study, server, run, path, manifest, tuple(issues))


def keeps_sql(run: Run) -> bool:
    """Whether tables of the run have statements and queries with their values: ``keep_sql`` of its study.json."""
    study = run.path.parent.parent
    try:
        status = (study / "study.json").stat()
    except OSError:
        return False
    return _keeps_sql(study, (status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@lru_cache(maxsize=64)
def _keeps_sql(study: Path, status: tuple[int, ...]) -> bool:
    """``keep_sql`` of a study.json of that status: it is read once for all runs of the study."""
    return read_json(study / "study.json", "study.json", study)[0].get("keep_sql") is True


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
