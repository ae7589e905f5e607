"""From files and choices to a run that can be written: everything that is inferred, and how."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import parse
from pipeline.assemble import disks, processes, texts
from pipeline.assemble.blocks import BlockFile, all_rows, block_files
from pipeline.assemble.clocks import file_date, printed_date
from pipeline.assemble.cpus import count_cpus
from pipeline.assemble.folder import RECORDED_BY, file_names
from pipeline.assemble.load import REQUESTS, Load, read_load, workload_of
from pipeline.assemble.plan import Choices, Guest, Inference, Plan, Question
from pipeline.assemble.sources import AssembleError, Machine, Source, Zone
from pipeline.assemble.timing import (
    MIN_DISK_SHARE,
    NS,
    Timing,
    date_shift,
    disk_share,
    infer_timing,
    iotop_info,
    machine_span,
    top_growth,
)
from pipeline.raw import CLIENT, HOST, INFERRED, RUN_FORMAT, strip_compression_suffix

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
        self.inferences: list[Inference] = []
        self.questions: list[Question] = []
        self.notes = list(notes)
        roles = list(dict.fromkeys(source.role for source in sources))
        self.guests = {
            role: Guest(role, self._of(role)) for role in roles if role not in (HOST, CLIENT)
        }
        if not self.guests:
            raise AssembleError(texts.NO_GUEST)
        self._check_keys()
        self.date, self.zones = self._dates(roles)
        self.machines = {
            role: Machine(role, self._of(role), self.zones[role])
            for role in roles
            if role != CLIENT
        }
        self.client = Machine(CLIENT, self._of(CLIENT), Zone())

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
        for guest in self.guests.values():
            self._server_processes(guest)
        loads = self._loads()
        patterns = {name: guest.server_processes for name, guest in self.guests.items()}
        timing = infer_timing(self.machines, loads, patterns, self.choices, self.date)
        self._show_timing(timing, loads)
        self._qemu_processes(loads)
        logs, blocks = self._logs(timing)
        self._disks(blocks)
        manifest = self._manifest(timing, loads, logs)
        if not self.questions:
            self._show_cpu(timing)
        files = {name: source.path for name, source in self.files.items()}
        files |= {f"{role}/facts.json": path for role, path in self.facts.items()}
        return Plan(
            *self.names, manifest, files, tuple(self.inferences), tuple(self.questions),
            tuple(self.notes),
        )  # fmt: skip

    # -- dates and zones ----------------------------------------------------------------------------------

    def _dates(self, roles: list[str]) -> tuple[str, dict[str, Zone]]:
        """The day of the logs, and how each machine's times are read."""
        untimed = [s for s in self.sources if s.kind in ("top", "iotop") and not s.has_sentinels]
        printed = printed_date(self.sources)
        from_file = file_date(self.sources)
        choices = self.choices
        date = choices.date or (printed.date if printed else None)
        if date is None and untimed:
            self.questions.append(Question("--date", texts.WHICH_DATE, from_file))
        if choices.date is None and printed:
            self.inferences.append(
                Inference("date", printed.date, texts.read_in(printed.source.path))
            )
        zone = choices.tz.get("") or (printed.tz if printed else None)
        if zone is None and untimed and not set(roles) - {CLIENT} <= set(choices.tz):
            self.questions.append(Question("--tz", texts.WHICH_ZONE, "UTC"))
        elif "" not in choices.tz and zone is not None and printed:
            self.inferences.append(Inference("time zone", zone, texts.read_in(printed.source.path)))
        date = date or from_file or "1970-01-01"
        try:
            zones = {role: Zone(date, choices.tz.get(role) or zone or "UTC") for role in roles}
            for zone_of in zones.values():
                parse.timestamps.parse_day(zone_of.date, "--date")
                parse.timestamps.check_time_zone(zone_of.tz, "--tz")
        except parse.ParseError as error:
            raise AssembleError(str(error)) from None
        return date, zones

    # -- processes ----------------------------------------------------------------------------------------

    def _server_processes(self, guest: Guest) -> None:
        given = self.choices.server_processes.get(guest.name)
        rows = self.machines[guest.name].frame("top_processes")
        subject = texts.server_processes_of(guest.name)
        if given is not None:
            guest.server_processes = _checked(given, "--server-processes")
            if not rows.is_empty() and not rows["command"].str.contains(given).any():
                raise AssembleError(texts.no_match("--server-processes", guest.name, given))
            self.inferences.append(Inference(subject, given, texts.GIVEN))
            return
        if rows.is_empty():
            self.notes.append(texts.without_top(guest.name))
            return
        busiest = processes.propose_servers(processes.programs(rows))
        if not busiest:
            option = f"--server-processes {guest.name}="
            self.questions.append(Question(option, texts.which_servers(guest.name)))
            return
        names = [item.name for item in busiest]
        guest.server_processes = processes.server_pattern(names, rows["command"].drop_nulls())
        used = ", ".join(texts.program(item.name, item.cpu_s, item.processes) for item in busiest)
        self.inferences.append(Inference(subject, guest.server_processes, used))

    def _qemu_processes(self, loads: Mapping[str, Load]) -> None:
        host = self.machines.get(HOST)
        if host is None:
            self.notes.append(texts.NO_HOST)
            return
        iotop, top = host.frame("iotop_tasks"), host.frame("top_processes")
        candidates = processes.qemus(iotop, top)
        free = [each for each in candidates if each.name not in self.guests]
        for guest in self.guests.values():
            subject = texts.qemu_of(guest.name)
            given = self.choices.qemu.get(guest.name)
            if given is not None:
                guest.qemu_process = _checked(given, "--qemu")
                commands = [f["command"].drop_nulls() for f in (iotop, top) if not f.is_empty()]
                if commands and not pl.concat(commands).str.contains(given).any():
                    raise AssembleError(texts.no_match("--qemu", guest.name, given))
                self.inferences.append(Inference(subject, given, texts.GIVEN))
                continue
            named = next((each for each in candidates if each.name == guest.name), None)
            if named is not None:
                self._set_qemu(guest, named.pattern, texts.QEMU_BY_NAME)
            elif len(free) == 1 and len(self.guests) == 1:
                self._set_qemu(guest, free[0].pattern, texts.only_qemu(free[0].name))
            elif not candidates and len(self.guests) == 1 and _has_qemu(iotop, top):
                self._set_qemu(guest, processes.QEMU, texts.ANY_QEMU)
            else:
                matching = self._qemu_by_bytes(guest, free)
                if matching is not None:
                    self._set_qemu(guest, matching.pattern, texts.QEMU_BY_BYTES)
                elif not iotop.is_empty() or candidates:
                    choices = [each.name for each in candidates]
                    option = f"--qemu {guest.name}="
                    self.questions.append(Question(option, texts.which_qemu(guest.name, choices)))

    def _set_qemu(self, guest: Guest, pattern: str, reason: str) -> None:
        guest.qemu_process = pattern
        self.inferences.append(Inference(texts.qemu_of(guest.name), pattern, reason))

    def _qemu_by_bytes(
        self, guest: Guest, candidates: list[processes.Qemu]
    ) -> processes.Qemu | None:
        """The QEMU that moved about as many bytes as the guest's own log of iotop has; None if it is not clear."""
        frame = self.machines[guest.name].frame("iotop_totals")
        if frame.is_empty():
            return None
        moved = frame.select(
            pl.sum_horizontal(pl.col("^(read|write)_bytes_per_s$").fill_null(0.0)).sum()
        ).item()
        ranked = sorted(
            (abs(math.log(each.bytes_moved / moved)), each.name, each)
            for each in candidates
            if each.bytes_moved > 0 and moved > 0
        )
        is_clear = bool(ranked) and ranked[0][0] < math.log(1.5)
        is_only = len(ranked) < 2 or ranked[1][0] > math.log(2)
        return ranked[0][2] if is_clear and is_only else None

    # -- the load -----------------------------------------------------------------------------------------

    def _loads(self) -> dict[str, Load]:
        loads: dict[str, Load] = {}
        for source in self.client.sources:
            load = read_load(self.client, source)
            self.notes += load.notes
            name = self._guest_of(source, taken=set(loads))
            if name is None:
                option = f"--client GUEST={source.path.name}"
                self.questions.append(Question(option, texts.which_guest(source.path)))
                continue
            if name in loads:
                raise AssembleError(texts.two_reports(name))
            loads[name] = load
        if not self.client.sources:
            self.notes.append(texts.NO_CLIENT)
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
            self.questions.append(Question(option, texts.which_workload(load.source.path)))
            return None
        reason = texts.GIVEN if given else texts.read_in(load.source.path)
        self.inferences.append(Inference(subject, texts.workload(workload), reason))
        return workload

    # -- times --------------------------------------------------------------------------------------------

    def _show_timing(self, timing: Timing, loads: Mapping[str, Load]) -> None:
        reference = self.machines.get(timing.reference)
        tz = "UTC" if reference is None else reference.zone.tz or "UTC"
        for name in loads:
            if name in timing.windows:
                start_s, end_s = timing.windows[name]
                self.inferences.append(
                    Inference(
                        texts.window_of(name), texts.span(start_s, end_s, tz), timing.reasons[name]
                    )
                )
            else:
                self.questions.append(Question("--start", texts.which_window(name)))
        for role in self.machines:
            offset_s, uncertainty_s = timing.offsets_s[role], timing.uncertainty_s.get(role)
            if role != timing.reference and loads:
                self.inferences.append(
                    Inference(
                        texts.clock_of(role), texts.offset(offset_s, timing.reference),
                        texts.offset_reason(offset_s, uncertainty_s),
                    )
                )  # fmt: skip

    def _logs(self, timing: Timing) -> tuple[dict[str, dict[str, Any]], dict[str, list[BlockFile]]]:
        """What run.json states about each log; also sets ``files``."""
        logs: dict[str, dict[str, Any]] = {}
        blocks: dict[str, list[BlockFile]] = {}
        self.files: dict[str, Source] = {}
        for role, machine in self.machines.items():
            files, questions, reasons = block_files(machine, timing, self.choices)
            self.questions += questions
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
            self.inferences += [Inference(f"{role}: block counters", each) for each in reasons]
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
                    logs[name]["date"] = _shifted(logs[name]["date"], shift)
            self.inferences.append(Inference(subject, texts.OWN_TIMES))
            return
        info, ticks = iotop_info(machine, timing, self.choices, self.date)
        if info is None or ticks is None or len(names) > 1:
            option = f"--iotop {machine.role}=HH:MM:SS/SECONDS"
            self.questions.append(Question(option, texts.which_iotop_times(machine.role)))
            return
        share = disk_share(frame, block, ticks.interval_s)
        is_irregular = share is not None and not MIN_DISK_SHARE <= share <= 1 / MIN_DISK_SHARE
        if is_irregular and machine.role != HOST and machine.role not in self.choices.iotop:
            option = f"--iotop {machine.role}=/SECONDS"
            text = texts.irregular_iotop(machine.role, ticks.interval_s, share)
            self.questions.append(Question(option, text))
            return
        logs[names[0]] |= info
        del logs[names[0]]["date"]
        tz = machine.zone.tz or "UTC"
        value = texts.ticks(ticks.start_s, ticks.interval_s, tz)
        self.inferences.append(
            Inference(subject, value, texts.with_uncertainty(ticks.reason, ticks.uncertainty_s))
        )

    # -- disks --------------------------------------------------------------------------------------------

    def _disks(self, blocks: Mapping[str, list[BlockFile]]) -> None:
        growths = {
            role: disks.growths(all_rows(files)) if files else [] for role, files in blocks.items()
        }
        for guest in self.guests.values():
            own, of_host = growths.get(guest.name, []), growths.get(HOST, [])
            given = self.choices.disks.get(guest.name)
            if given is not None:
                guest.virtual_disk, guest.host_disk = given
                for role, device, names in (
                    (guest.name, given[0], own), (HOST, given[1], of_host),
                ):  # fmt: skip
                    if names and device not in {disk.device for disk in names}:
                        known_names = [disk.device for disk in names]
                        raise AssembleError(texts.no_disk(role, device, known_names))
                self.inferences.append(
                    Inference(texts.disks_of(guest.name), f"{given[0]} : {given[1]}", texts.GIVEN)
                )
                continue
            virtual = disks.virtual_disk(own)
            physical = disks.host_disk(virtual, of_host)
            guest.virtual_disk = virtual and virtual.device
            guest.host_disk = physical and physical.device
            for role, disk, subject in (
                (guest.name, virtual, texts.virtual_disk_of(guest.name)),
                (HOST, physical, texts.host_disk_of(guest.name)),
            ):
                if disk is not None:
                    reason = texts.disk_growth(disk.bytes_moved, disk.busy_s)
                    self.inferences.append(Inference(subject, disk.device, reason))
                elif blocks.get(role) and not growths[role]:
                    self.notes.append(texts.single_snapshot(role))
            if of_host and physical is None:
                names = [disk.device for disk in of_host]
                option = f"--disk {guest.name}={guest.virtual_disk or 'vda'}:"
                self.questions.append(Question(option, texts.which_disk(guest.name, names)))

    # -- the manifest -------------------------------------------------------------------------------------

    def _cpus(self, role: str) -> int | None:
        if role in self.facts:
            try:
                stated = json.loads(self.facts[role].read_text()).get("cpus")
            except (OSError, ValueError, AttributeError):
                stated = None
            if stated is not None:
                return None  # facts.json says it
        given = self.choices.cpus.get(role)
        if given is not None:
            self.inferences.append(Inference(f"CPUs of {role}", str(given), texts.GIVEN))
            return given
        counted = count_cpus(self.machines[role])
        if counted is not None:
            self.inferences.append(Inference(f"CPUs of {role}", str(counted[0]), counted[1]))
            return counted[0]
        if role == HOST:
            self.questions.append(Question("--cpus", texts.HOW_LARGE))
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
        inferred = [f"{each.subject}: {each.value} ({each.reason})" for each in self.inferences]
        return manifest | {
            "roles": roles, "virtual_servers": servers, "logs": logs, "recorded_by": RECORDED_BY,
            "notes": [*inferred, *self.notes],
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

    def _show_cpu(self, timing: Timing) -> None:
        """CPU time of the server's processes in the window: what a reader can compare."""
        for name, guest in self.guests.items():
            window = timing.local_window(name)
            if guest.server_processes and name in timing.windows and window is not None:
                used_s = top_growth(self.machines[name], guest.server_processes, window)
                if used_s is not None:
                    text = texts.seconds(used_s)
                    self.inferences.append(Inference(texts.cpu_time_of(name), text))


def _checked(pattern: str, option: str) -> str:
    try:
        re.compile(pattern)
        pl.Series([""]).str.contains(pattern)
    except (re.error, pl.exceptions.PolarsError) as error:
        raise AssembleError(texts.bad_pattern(option, pattern, error)) from None
    return pattern


def _has_qemu(*frames: pl.DataFrame) -> bool:
    return any(
        not frame.is_empty() and frame["command"].str.contains(processes.QEMU).any()
        for frame in frames
    )


def _is_web(guest: Guest) -> bool:
    """Whether a guest serves HTTP, by its log or its processes."""
    if any(source.kind == "access" for source in guest.sources):
        return True
    return any(server in (guest.server_processes or "") for server in WEB_SERVERS)


def _shifted(date: str, days: int) -> str:
    import datetime as dt

    return (dt.date.fromisoformat(date) + dt.timedelta(days=days)).isoformat()
