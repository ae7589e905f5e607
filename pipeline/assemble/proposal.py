"""From files and choices to a run that can be written: everything that is inferred, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.assemble import texts
from pipeline.assemble.blocks import BlockFile, all_rows, block_files
from pipeline.assemble.clocks import DAY_S, shifted_date, span_of
from pipeline.assemble.cpus import count_cpus
from pipeline.assemble.folder import RECORDED_BY, file_names
from pipeline.assemble.guests import infer_disks, infer_qemu_processes, infer_server_processes
from pipeline.assemble.iotop_times import infer_iotop_times, read_iotop_times
from pipeline.assemble.load import REQUESTS, Load, read_load, workload_of
from pipeline.assemble.plan import Choices, Guest, Plan, Remarks
from pipeline.assemble.sources import AssembleError, Machine, Source, Zone
from pipeline.assemble.timing import (
    NS,
    Timing,
    date_shift,
    idle_before,
    infer_timing,
    machine_span,
    top_growth,
)
from pipeline.assemble.zones import infer_zones
from pipeline.raw import CLIENT, HOST, INFERRED, RUN_FORMAT, strip_compression_suffix
from pipeline.raw.manifest import read_json

MAX_UNSEEN_S = 2.0
"""As in ``pipeline.measure.window``: with more of the window missing a log has no increase over it."""
WEB_SERVERS = ("apache2", "httpd", "nginx", "lighttpd", "haproxy", "varnishd", "node", "php-fpm")


def propose(
    names: tuple[str, str, str],
    sources: list[Source],
    choices: Choices,
    facts: Mapping[str, Path] | None = None,
    notes: list[str] | None = None,
) -> Plan:
    """Infer a run from logs that were recorded by hand.

    Parameters
    ----------
    names : tuple of str
        Study, server and run.
    sources : list of Source
    choices : Choices
    facts : mapping of str to Path, optional
        facts.json by role.
    notes : list of str, optional
        Remarks to go with the plan.

    Returns
    -------
    Plan
        With ``questions`` where something is needed that the logs do not say.

    Raises
    ------
    AssembleError
        If the files do not go together, or a choice is wrong.
    """
    return _Proposal(names, sources, choices, facts or {}, notes or []).plan()


class _Proposal:
    """The steps of ``propose``; each adds to ``inferences``, ``questions`` and ``notes``."""

    def __init__(
        self,
        names: tuple[str, str, str],
        sources: list[Source],
        choices: Choices,
        facts: Mapping[str, Path],
        notes: list[str],
    ):
        self.names, self.sources, self.choices, self.facts = names, sources, choices, facts
        self.remarks = Remarks(notes=list(notes))
        roles = list(dict.fromkeys(source.role for source in sources))
        self.guests = {
            role: Guest(role, self._of(role)) for role in roles if role not in (HOST, CLIENT)
        }
        if not self.guests:
            raise AssembleError(texts.NO_GUEST)
        self._check_keys()
        self.date, self.zones = infer_zones(sources, roles, choices, self.remarks)
        self.machines = {
            role: Machine(role, self._of(role), self.zones[role])
            for role in roles
            if role != CLIENT
        }
        self.client = Machine(CLIENT, self._of(CLIENT), Zone())
        for role, given in choices.iotop.items():  # of a log that has its own times, too
            read_iotop_times(given, self.date, self.zones[role].tz or "UTC")

    def _of(self, role: str) -> list[Source]:
        return [source for source in self.sources if source.role == role]

    def _check_keys(self) -> None:
        """Names of guests and machines in the choices must be those of the files."""
        choices, guests = self.choices, set(self.guests)
        of_guests = {
            "--server-processes": choices.server_processes, "--qemu": choices.qemu,
            "--disk": choices.disks, "--workload": choices.workloads,
        }  # fmt: skip
        of_machines = {"--cpus": choices.cpus, "--devices": choices.devices, "--iotop": choices.iotop}  # fmt: skip
        for options, roles in ((of_guests, guests), (of_machines, guests | {HOST})):
            for option, given in options.items():
                for name in set(given) - roles:
                    raise AssembleError(texts.unknown_machine(option, name, sorted(roles)))

    def plan(self) -> Plan:
        """The steps in their order."""
        for name, guest in self.guests.items():
            infer_server_processes(guest, self.machines[name], self.choices, self.remarks)
        loads = self._loads()
        patterns = {name: guest.server_processes for name, guest in self.guests.items()}
        timing = infer_timing(self.machines, loads, patterns, self.choices, self.date)
        if self._moved_by_days(timing):
            timing = infer_timing(self.machines, loads, patterns, self.choices, self.date)
        self._show_timing(timing, loads)
        infer_qemu_processes(self.guests, self.machines, self.choices, self.remarks)
        logs, blocks = self._logs(timing)
        if not any(each.option.startswith("--devices") for each in self.remarks.questions):
            infer_disks(self.guests, blocks, self.choices, self.remarks)
        manifest = self._manifest(timing, loads, logs)
        idle = idle_before(
            self.machines, {role: all_rows(files) for role, files in blocks.items()}, timing
        )
        if idle is not None:
            manifest["before"] = {"start_ns": round(idle[0] * NS), "end_ns": round(idle[1] * NS)}
            tz = self.zones[timing.reference].tz if timing.reference in self.zones else None
            self.remarks.infer("idle baseline", texts.span(*idle, tz or "UTC"), texts.BEFORE_LOAD)
        if not self.remarks.questions:
            self._show_cpu(timing, loads)
        files = {name: source.path for name, source in self.files.items()}
        files |= {f"{role}/facts.json": path for role, path in self.facts.items()}
        return Plan(
            *self.names, manifest, files, tuple(self.remarks.inferences), tuple(self.remarks.questions),
            tuple(self.remarks.notes),
        )  # fmt: skip

    # -- the load -----------------------------------------------------------------------------------------

    def _loads(self) -> dict[str, Load]:
        loads: dict[str, Load] = {}
        for source in self.client.sources:
            load = read_load(self.client, source)
            self.remarks.notes += load.notes
            name = self._guest_of(source, taken=set(loads))
            if name is None:
                option = f"--client GUEST={source.path.name}"
                self.remarks.ask(option, texts.which_guest(source.path))
                continue
            if name in loads:
                raise AssembleError(texts.two_reports(name))
            loads[name] = load
        if not self.client.sources:
            self.remarks.notes.append(texts.NO_CLIENT)
        return loads

    def _guest_of(self, source: Source, taken: set[str]) -> str | None:
        """The guest that a client's report is about: given, the only one, or the one with such a server."""
        given = self.choices.clients.get(str(source.path))
        if given is not None:
            if given not in self.guests:
                raise AssembleError(texts.unknown_machine("--client", given, sorted(self.guests)))
            return given
        if len(self.guests) == 1:
            return next(iter(self.guests))
        fitting = [
            name
            for name, guest in self.guests.items()
            if name not in taken and _is_web(guest) == (source.kind == "httperf")
        ]
        return fitting[0] if len(fitting) == 1 else None

    def _workload(self, name: str, load: Load) -> dict[str, Any] | None:
        given = self.choices.workloads.get(name) or self.choices.workloads.get("")
        subject = texts.workload_of(name)
        workload = workload_of(given) if given else load.workload
        if workload is None:
            option = f"--workload {name}="
            self.remarks.ask(option, texts.which_workload(load.source.path))
            return None
        reason = texts.GIVEN if given else texts.read_in(load.source.path)
        self.remarks.infer(subject, texts.workload(workload), reason)
        return workload

    # -- times --------------------------------------------------------------------------------------------

    def _show_timing(self, timing: Timing, loads: Mapping[str, Load]) -> None:
        reference = self.machines.get(timing.reference)
        tz = "UTC" if reference is None else reference.zone.tz or "UTC"
        for name in loads:
            if name in timing.windows:
                start_s, end_s = timing.windows[name]
                self.remarks.infer(
                    texts.window_of(name), texts.span(start_s, end_s, tz), timing.reasons[name]
                )
            else:
                self.remarks.ask("--start", texts.which_window(name))
        self._check_coverage(timing)
        for role in self.machines:
            offset_s, uncertainty_s = timing.offsets_s[role], timing.uncertainty_s.get(role)
            if role != timing.reference and loads:
                self.remarks.infer(
                    texts.clock_of(role),
                    texts.offset(offset_s, timing.reference),
                    texts.offset_reason(offset_s, uncertainty_s),
                )

    def _moved_by_days(self, timing: Timing) -> bool:
        """Whether a clock seems to be off by most of a day, because in its zone it was the day before or after."""
        has_moved = False
        for role, offset_s in timing.offsets_s.items():
            days = -round(offset_s / DAY_S)
            if days and not any(source.has_sentinels for source in self.machines[role].sources):
                zone = self.zones[role]
                self.zones[role] = Zone(shifted_date(str(zone.date), days), zone.tz)
                self.machines[role] = Machine(role, self._of(role), self.zones[role])
                has_moved = True
        return has_moved

    def _check_coverage(self, timing: Timing) -> None:
        """The window has to be in the logs; a log that begins late or ends early is noted."""
        for role, machine in self.machines.items():
            window = timing.local_window(role)
            for kind, table in (("top", "top_summary"), ("iotop", "iotop_totals")):
                span = span_of(machine.frame(table))
                if window is None or span is None:
                    continue
                covered = texts.span(span.start_s, span.end_s, machine.zone.tz or "UTC")
                if span.end_s <= window[0] or span.start_s >= window[1]:
                    if kind == "top" and timing.is_window_given:
                        raise AssembleError(texts.outside(role, kind, covered))
                    self.remarks.notes.append(texts.outside(role, kind, covered))
                elif max(span.start_s - window[0], window[1] - span.end_s) > MAX_UNSEEN_S:
                    self.remarks.notes.append(texts.not_covered(role, kind, covered))

    def _logs(self, timing: Timing) -> tuple[dict[str, dict[str, Any]], dict[str, list[BlockFile]]]:
        """What run.json states about each log; also sets ``files``."""
        logs: dict[str, dict[str, Any]] = {}
        blocks: dict[str, list[BlockFile]] = {}
        self.files: dict[str, Source] = {}
        for role, machine in self.machines.items():
            files, questions, reasons = block_files(machine, timing, self.choices)
            self.remarks.questions += questions
            blocks[role] = files
            others = [source for source in machine.sources if source.kind != "block"]
            named = file_names([*others, *(file.source for file in files)], role)
            self.files |= named
            for name, source in named.items():
                logs[strip_compression_suffix(name)] = self._log_info(machine, source)
            for file in files:
                key = next(name for name, source in named.items() if source is file.source)
                info = logs[strip_compression_suffix(key)]
                if file.info.devices:
                    info["devices"] = list(file.info.devices)
                if file.info.snapshot_times_ns:
                    info["snapshot_times_ns"] = list(file.info.snapshot_times_ns)
            for reason in reasons:
                self.remarks.infer(f"{role}: block counters", reason)
            self._iotop_times(machine, timing, logs, all_rows(files))
        return logs, blocks

    def _log_info(self, machine: Machine, source: Source) -> dict[str, Any]:
        info: dict[str, Any] = {"original": source.path.name}
        if source.kind in ("top", "iotop") and not source.has_sentinels:
            info["date"] = machine.zone.date
        return info

    def _iotop_times(
        self,
        machine: Machine,
        timing: Timing,
        logs: dict[str, dict[str, Any]],
        block: pl.DataFrame,
    ) -> None:
        sources = machine.of_kind("iotop")
        if not sources or any(source.has_sentinels for source in sources):
            return
        subject = f"{machine.role}: iotop's clock"
        frame = machine.frame("iotop_totals")
        frame = machine.frame("iotop_tasks") if frame.is_empty() else frame
        if frame.is_empty():
            return
        names = [name for name in logs if re.fullmatch(rf"{machine.role}/iotop(\.\d+)?\.log", name)]
        if frame["time"].null_count() == 0:
            shift = date_shift(machine)
            if shift:
                for name in names:
                    logs[name]["date"] = shifted_date(logs[name]["date"], shift)
            self.remarks.infer(subject, texts.OWN_TIMES)
            return
        if len(names) > 1:
            option = f"--iotop {machine.role}=HH:MM:SS/SECONDS"
            self.remarks.ask(option, texts.which_iotop_times(machine.role))
            return
        inferred = infer_iotop_times(machine, timing, self.choices, self.date, block)
        if inferred.option:
            self.remarks.ask(inferred.option, inferred.reason)
            return
        logs[names[0]] |= inferred.info
        del logs[names[0]]["date"]
        self.remarks.infer(subject, inferred.value, inferred.reason)

    # -- the manifest -------------------------------------------------------------------------------------

    def _cpus(self, role: str) -> int | None:
        if role in self.facts:
            path = self.facts[role]
            facts, _ = read_json(path, path.name, path.parent)
            if facts.get("cpus") is not None:
                return None  # facts.json says it
        given = self.choices.cpus.get(role)
        if given is not None:
            self.remarks.infer(f"CPUs of {role}", str(given), texts.GIVEN)
            return given
        counted = count_cpus(self.machines[role])
        if counted is not None:
            self.remarks.infer(f"CPUs of {role}", str(counted[0]), counted[1])
            return counted[0]
        if role == HOST:
            self.remarks.ask("--cpus", texts.HOW_LARGE)
        return None

    def _manifest(
        self, timing: Timing, loads: Mapping[str, Load], logs: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        study, server, run = self.names
        roles: dict[str, dict[str, Any]] = {
            CLIENT: {"clock_offset_ns": 0, "clock_uncertainty_ns": 0, "time_zone": "UTC"}
        }
        for role, machine in self.machines.items():
            roles[role] = {
                "clock_offset_ns": round(timing.offsets_s[role] * NS),
                "time_zone": machine.zone.tz,
            }
            uncertainty_s = timing.uncertainty_s.get(role)
            if uncertainty_s is not None:
                roles[role]["clock_uncertainty_ns"] = round(uncertainty_s * NS)
            cpus = self._cpus(role)
            if cpus is not None:
                roles[role]["cpus"] = cpus
        client_logs = self._client_files(loads, logs)
        servers: dict[str, dict[str, Any]] = {}
        for name, guest in self.guests.items():
            entry: dict[str, Any] = {"role": name}
            for key in ("server_processes", "qemu_process", "virtual_disk", "host_disk"):
                if getattr(guest, key) is not None:
                    entry[key] = getattr(guest, key)
            if name in loads and (workload := self._workload(name, loads[name])) is not None:
                request = REQUESTS[loads[name].tool]
                entry["workload"] = {**workload, "request": request, "log": client_logs[name]}
                if name in timing.windows:
                    start_s, end_s = timing.windows[name]
                    entry["workload"] |= {"start_ns": round(start_s * NS), "end_ns": round(end_s * NS)}  # fmt: skip
            servers[name] = entry
        is_recorded = all(
            source.has_sentinels
            for machine in self.machines.values()
            for source in machine.sources
            if source.kind in ("top", "iotop", "block", "tasks")
        )
        window = timing.window or self._whole_window()
        manifest: dict[str, Any] = {
            "format": RUN_FORMAT, "study": study, "server": server, "run": run,
        }  # fmt: skip
        if not is_recorded:
            manifest["times"] = INFERRED
        if window is not None:
            manifest["window"] = {
                "start_ns": round(window[0] * NS),
                "end_ns": round(window[1] * NS),
            }
            manifest["window"]["times"] = "recorded" if timing.is_window_given else INFERRED
        if self.choices.accelerator:
            manifest["accelerator"] = self.choices.accelerator
        inferred = [
            f"{each.subject}: {each.value} ({each.reason})" for each in self.remarks.inferences
        ]
        return manifest | {
            "roles": roles, "virtual_servers": servers, "logs": logs, "recorded_by": RECORDED_BY,
            "notes": [*inferred, *self.remarks.notes],
        }  # fmt: skip

    def _client_files(
        self, loads: Mapping[str, Load], logs: dict[str, dict[str, Any]]
    ) -> dict[str, str]:
        """Guest → path of its client's report; a second report of one tool has a folder of its own."""
        names, tools = {}, set()
        for guest, load in loads.items():
            folder = CLIENT if load.tool not in tools else f"{CLIENT}-{guest}"
            tools.add(load.tool)
            ((name, source),) = file_names([load.source], folder).items()
            self.files[name] = source
            names[guest] = strip_compression_suffix(name)
            logs[names[guest]] = {"original": source.path.name}
        return names

    def _whole_window(self) -> tuple[float, float] | None:
        """Without a load: what all machines were recorded for."""
        spans = [span for m in self.machines.values() if (span := machine_span(m)) is not None]
        if self.client.sources or not spans:
            return None
        start_s, end_s = max(s.start_s for s in spans), min(s.end_s for s in spans)
        return (start_s, end_s) if start_s < end_s else None

    def _show_cpu(self, timing: Timing, loads: Mapping[str, Load]) -> None:
        """CPU time of the server's processes in the window; a note where a request has more than it takes."""
        for name, guest in self.guests.items():
            window = timing.local_window(name)
            if guest.server_processes and name in timing.windows and window is not None:
                used_s = top_growth(self.machines[name], guest.server_processes, window)
                if used_s is not None:
                    text = texts.seconds(used_s)
                    self.remarks.infer(texts.cpu_time_of(name), text)
                    load = loads.get(name)
                    if load is None or not (load.completions and load.mean_response_s):
                        continue
                    per_request_s = used_s / load.completions
                    if per_request_s > load.mean_response_s:
                        self.remarks.notes.append(
                            texts.cpu_over_response(
                                name, guest.server_processes, per_request_s, load.mean_response_s
                            )
                        )


def _is_web(guest: Guest) -> bool:
    """Whether a guest serves HTTP, by its log or its processes."""
    if any(source.kind == "access" for source in guest.sources):
        return True
    return any(server in (guest.server_processes or "") for server in WEB_SERVERS)
