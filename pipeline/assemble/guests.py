"""What is proposed about each guest: its server's processes, its QEMU, its disks."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from pipeline.assemble import disks, processes, texts
from pipeline.assemble.blocks import BlockFile, all_rows
from pipeline.assemble.plan import Choices, Guest, Remarks
from pipeline.assemble.sources import AssembleError, Machine
from pipeline.raw import HOST, pattern_problem


def infer_server_processes(
    guest: Guest, machine: Machine, choices: Choices, remarks: Remarks
) -> None:
    """Set the pattern of the server's processes of a guest."""
    given = choices.server_processes.get(guest.name)
    rows = machine.frame("top_processes")
    subject = texts.server_processes_of(guest.name)
    if given is not None:
        guest.server_processes = _checked(given, "--server-processes")
        if not rows.is_empty() and not rows["command"].str.contains(given).any():
            raise AssembleError(texts.no_match("--server-processes", guest.name, given))
        remarks.infer(subject, given, texts.GIVEN)
        return
    if rows.is_empty():
        remarks.notes.append(texts.without_top(guest.name))
        return
    busiest = processes.propose_servers(processes.programs(rows))
    if not busiest:
        option = f"--server-processes {guest.name}="
        remarks.ask(option, texts.which_servers(guest.name))
        return
    names = [item.name for item in busiest]
    guest.server_processes = processes.server_pattern(names, rows["command"].drop_nulls())
    used = ", ".join(texts.program(item.name, item.cpu_s, item.processes) for item in busiest)
    remarks.infer(subject, guest.server_processes, used)


def infer_qemu_processes(
    guests: Mapping[str, Guest], machines: Mapping[str, Machine], choices: Choices, remarks: Remarks
) -> None:
    """Set the pattern of the command line of each guest's QEMU."""
    host = machines.get(HOST)
    if host is None:
        remarks.notes.append(texts.NO_HOST)
        return
    iotop, top = host.frame("iotop_tasks"), host.frame("top_processes")
    candidates = processes.qemus(iotop, top)
    free = [each for each in candidates if each.name not in guests]
    for guest in guests.values():
        subject = texts.qemu_of(guest.name)
        given = choices.qemu.get(guest.name)
        if given is not None:
            guest.qemu_process = _checked(given, "--qemu")
            commands = [f["command"].drop_nulls() for f in (iotop, top) if not f.is_empty()]
            if commands and not pl.concat(commands).str.contains(given).any():
                raise AssembleError(texts.no_match("--qemu", guest.name, given))
            remarks.infer(subject, given, texts.GIVEN)
            continue
        named = next((each for each in candidates if each.name == guest.name), None)
        if named is not None:
            _set_qemu(remarks, guest, named.pattern, texts.QEMU_BY_NAME)
        elif len(free) == 1 and len(guests) == 1:
            _set_qemu(remarks, guest, free[0].pattern, texts.only_qemu(free[0].name))
        elif not candidates and len(guests) == 1 and _is_one_qemu(iotop, top):
            _set_qemu(remarks, guest, processes.QEMU, texts.ANY_QEMU)
        else:
            matching = _qemu_by_bytes(machines[guest.name], free)
            if matching is not None:
                _set_qemu(remarks, guest, matching.pattern, texts.QEMU_BY_BYTES)
            elif not iotop.is_empty() or candidates:
                shown = [each.name for each in candidates]
                option = f"--qemu {guest.name}="
                remarks.ask(option, texts.which_qemu(guest.name, shown))


def _set_qemu(remarks: Remarks, guest: Guest, pattern: str, reason: str) -> None:
    guest.qemu_process = pattern
    remarks.infer(texts.qemu_of(guest.name), pattern, reason)


def _qemu_by_bytes(machine: Machine, candidates: list[processes.Qemu]) -> processes.Qemu | None:
    """The QEMU that moved about as many bytes as the guest's own log of iotop has; None if it is not clear."""
    frame = machine.frame("iotop_totals")
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


def infer_disks(
    guests: Mapping[str, Guest],
    blocks: Mapping[str, list[BlockFile]],
    choices: Choices,
    remarks: Remarks,
) -> None:
    """Set the virtual disk and the host's disk of each guest."""
    growths = {
        role: disks.growths(all_rows(files)) if files else [] for role, files in blocks.items()
    }
    for guest in guests.values():
        own, of_host = growths.get(guest.name, []), growths.get(HOST, [])
        given = choices.disks.get(guest.name)
        if given is not None:
            guest.virtual_disk, guest.host_disk = given
            for role, device, names in (
                (guest.name, given[0], own), (HOST, given[1], of_host),
            ):  # fmt: skip
                if names and device not in {disk.device for disk in names}:
                    known_names = [disk.device for disk in names]
                    raise AssembleError(texts.no_disk(role, device, known_names))
            remarks.infer(texts.disks_of(guest.name), f"{given[0]} : {given[1]}", texts.GIVEN)
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
                remarks.infer(subject, disk.device, reason)
            elif blocks.get(role) and not growths[role]:
                remarks.notes.append(texts.single_snapshot(role))
        if of_host and physical is None:
            names = [disk.device for disk in of_host]
            option = f"--disk {guest.name}={guest.virtual_disk or 'vda'}:"
            remarks.ask(option, texts.which_disk(guest.name, names))


def _checked(pattern: str, option: str) -> str:
    problem = pattern_problem(pattern)
    if problem is not None:
        raise AssembleError(texts.bad_pattern(option, pattern, problem))
    return pattern


def _is_one_qemu(iotop: pl.DataFrame, top: pl.DataFrame) -> bool:
    """Whether the host's logs show a QEMU and top not more than one."""
    if not top.is_empty() and processes.qemu_rows(top)["pid"].n_unique() > 1:
        return False
    frames = [frame for frame in (iotop, top) if not frame.is_empty()]
    return any(frame["command"].str.contains(processes.QEMU).any() for frame in frames)
