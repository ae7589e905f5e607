"""What is checked on the recorded machines before a recording: that what the plan names is there."""

import errno
import os
import re
import subprocess

import experiment_plan
import load_command
import machine_check
import texts
from check_table import NOTE, OK, PROBLEM
from experiment_plan import ExperimentError
from remote import run_on_all

MAX_OFFSET_OF_WINDOW = (
    0.05  # clock offset, as a share of the load's duration: docs/reference/raw-run.md
)
MAX_OFFSET_S = 60.0  # where the duration is not known
LARGE_OFFSET_S = 0.01  # from which on it is a note
BYTES_PER_PROCESS = 500  # of all logs at one sample, uncompressed
BYTES_PER_SAMPLE = 8000
RESERVE_BYTES = 64 << 20  # as --reserve of collect
NO_SUCH_FILE = os.strerror(errno.ENOENT).lower()
MAX_COMMAND = 100  # characters of a command line that are shown
MAX_NAMES = 12  # of disks in a message


def check_machines(machines, plan, out, checks):
    """Copy the agent to each machine, and compare what the plan names with what is there."""
    unreachable = {}

    def prepare(machine):
        try:
            machine.copy_agent()
            machine.measure_clock("before")
            answer = machine.check(request_for(machine, plan))
            return answer if is_answer(answer) else None
        except (ExperimentError, OSError, subprocess.SubprocessError, ValueError) as e:
            unreachable[machine.name] = str(e)
            return None

    answers = run_on_all(prepare, machines)
    for machine in machines:
        answer = answers[machine.name]
        if answer is None:
            text = unreachable.get(machine.name, texts.BAD_CHECK_ANSWER % machine.name)
            checks.add(machine.name, PROBLEM, text)
            continue
        check_machine(machine, plan, answer, checks)
    answers = {name: answer for name, answer in answers.items() if answer is not None}
    check_identity(answers, machine_check.machine_facts.read_boot_id(), checks)
    for name, server in plan["virtual_servers"].items():
        check_server(name, server, plan, answers, checks)
    check_space(machines, plan, answers, out, checks)
    if len(answers) == len(plan["roles"]):
        checks.check_accepted()


def request_for(machine, plan):
    """What a machine is asked, see machine_check.py."""
    patterns = {}
    for key in ("only", "tasks"):
        if machine.role.get(key):
            patterns[key] = ["either", machine.role[key]]
    for name, server in plan["virtual_servers"].items():
        if server["role"] == machine.name and server.get("server_processes"):
            patterns["server_processes " + name] = ["name", server["server_processes"]]
        if machine.name == "host" and server.get("qemu_process"):
            patterns["qemu_process " + name] = ["command", server["qemu_process"]]
    disks = [
        server.get(key) or ""
        for server in plan["virtual_servers"].values()
        for key, role in (("virtual_disk", server["role"]), ("host_disk", "host"))
        if role == machine.name
    ]
    return {
        "patterns": patterns,
        "logs": list(machine.role["logs"].values()),
        "paths": [disk for disk in disks if disk.startswith("/")],
        "folder": os.path.dirname(machine.folder),
    }


def is_answer(answer):
    """Has a machine's answer the form that is expected? The machine is not trusted."""
    try:
        return (
            isinstance(answer["boot_id"], str)
            and isinstance(answer["python"], str)
            and isinstance(answer["disks"], list)
            and all(isinstance(disk, str) for disk in answer["disks"])
            and all(
                experiment_plan.is_number(answer[key], 1 << 62)
                for key in ("processes", "free_bytes")
            )
            and isinstance(answer["logs"], dict)
            and isinstance(answer["disk_of"], dict)
            and all(is_match(match) for match in answer["matches"].values())
        )
    except (KeyError, TypeError, AttributeError):
        return False


def is_match(match):
    """Has the answer for one pattern the form that is expected?"""
    return (
        all(isinstance(pid, int) for pid in match["pids"])
        and isinstance(match["separate"], int)
        and all(
            isinstance(p["pid"], int)
            and isinstance(p["name"], str)
            and isinstance(p["command"], str)
            for p in match["shown"]
        )
    )


def check_machine(machine, plan, answer, checks):
    """Clock, rights, logs and patterns of a machine's own."""
    name = machine.name
    place = texts.DRY_LOCAL if machine.is_local else texts.DRY_SSH % machine.role["destination"]
    checks.add(name, OK, texts.REACHED % (place, answer["python"][:20]))
    check_clock(machine, plan, checks)
    if not answer.get("top"):
        checks.add(name + ".top", PROBLEM, texts.TOP_MISSING)
    check_rights(name, answer, checks)
    if answer.get("delay_accounting") is False:
        text = texts.DELAYS_OFF if answer.get("is_root") else texts.DELAYS_STAY_OFF
        checks.add(name + ".delays", NOTE, text)
    for log, path in machine.role["logs"].items():
        check_log(name, log, path, answer, checks)
    for key in ("only", "tasks"):
        if machine.role.get(key):
            check_match(
                "%s.%s" % (name, key), machine.role[key], answer["matches"].get(key), checks
            )


def check_log(role, log, path, answer, checks):
    """A log of a server must be a file that can be read."""
    name, problem = "%s.%s" % (role, log), answer["logs"].get(path, texts.NOT_CHECKED)
    if problem is None:
        checks.add(name, OK, path)
        return
    text = texts.FILE_ERROR % (path, problem)
    if problem == NO_SUCH_FILE:
        text += texts.HOW_TO_LOG % (role, log)
    checks.add(name, PROBLEM, text)


def check_clock(machine, plan, checks):
    """The clock's offset: large ones are noted; beyond a share of the load's duration it is a problem."""
    if machine.is_local:
        return
    offset_s, uncertainty_s = (value / 1e9 for value in machine.clock["before"])
    duration_s, is_known = load_command.total_duration_s(plan)
    limit_s = MAX_OFFSET_OF_WINDOW * duration_s if is_known and duration_s else MAX_OFFSET_S
    text = texts.CLOCK % (offset_s * 1e3, uncertainty_s * 1e3)
    name = machine.name + ".clock"
    if abs(offset_s) > limit_s:
        checks.add(name, PROBLEM, text + texts.CLOCK_TOO_FAR % limit_s)
    elif abs(offset_s) - uncertainty_s > LARGE_OFFSET_S:
        checks.add(name, NOTE, text + texts.CLOCK_CORRECTED)
    else:
        checks.add(name, OK, text)


def check_rights(name, answer, checks):
    """Root, or the right to read the I/O counters of each process that a pattern matches."""
    denied = sorted(
        {
            process["pid"]
            for match in answer["matches"].values()
            for process in match["shown"]
            if process.get("io") is False
        }
    )
    if denied:
        pids = ", ".join(map(str, denied[:MAX_NAMES]))
        checks.add(name + ".rights", PROBLEM, texts.NO_RIGHTS % pids)
    elif answer.get("is_root"):
        checks.add(name + ".rights", OK, texts.IS_ROOT)
    elif answer.get("has_net_admin"):
        checks.add(name + ".rights", OK, texts.HAS_NET_ADMIN)
    else:
        checks.add(name + ".rights", NOTE, texts.NOT_ROOT)


def check_match(name, pattern, match, checks):
    """A pattern must match a process: each that matches is listed."""
    if match is None or not match["pids"]:
        checks.add(name, PROBLEM, texts.NO_MATCH % pattern)
        return
    shown = [
        texts.MATCH % (p["pid"], p["name"], p["command"][:MAX_COMMAND]) for p in match["shown"]
    ]
    more = len(match["pids"]) - len(shown)
    if more:
        shown.append(texts.MORE % more)
    checks.add(name, OK, "\n".join([texts.MATCHES % (pattern, len(match["pids"])), *shown]))


def check_identity(answers, client_boot_id, checks):
    """Machines with one boot id are one machine: a note."""
    names_of = {client_boot_id: ["client"]}
    for name, answer in answers.items():
        names_of.setdefault(answer["boot_id"], []).append(name)
    for names in names_of.values():
        if len(names) > 1:
            text = texts.ONE_MACHINE % ", ".join(names)
            if "host" in names and len(set(names) - {"client", "host"}):
                text += texts.NO_COMPARISON
            checks.add("machines", NOTE, text)


def check_server(name, server, plan, answers, checks):
    """Disks and processes of a virtual server, in the guest and on the host."""
    guest, host = answers.get(server["role"]), answers.get("host")
    check_disk(name, "virtual_disk", server["role"], plan, guest, checks)
    check_disk(name, "host_disk", "host", plan, host, checks)
    if guest is not None and server.get("server_processes"):
        key = "%s.server_processes" % name
        match = guest["matches"].get("server_processes " + name)
        check_match(key, server["server_processes"], match, checks)
        check_selection(key, match, server["role"], plan, guest, checks)
    if host is not None and server.get("qemu_process"):
        key = "%s.qemu_process" % name
        match = host["matches"].get("qemu_process " + name)
        check_match(key, server["qemu_process"], match, checks)
        check_selection(key, match, "host", plan, host, checks)
        if match and match["separate"] > 1:
            checks.add(
                key, PROBLEM, texts.SEVERAL_MACHINES % (match["separate"], server["qemu_process"])
            )
        check_accelerator(name, match, plan, checks)


def check_disk(name, key, role, plan, answer, checks):
    """A disk must exist and be recorded; a path in its place is replaced by the disk on which it lies."""
    server = plan["virtual_servers"][name]
    disk = server.get(key)
    if not disk or answer is None:
        return
    name = "%s.%s" % (name, key)
    text = texts.DISK % (disk, role)
    if disk.startswith("/"):
        path, disk = disk, answer["disk_of"].get(disk)
        text = texts.DISK_OF % (disk, path, role)
        if disk == "":
            checks.add(name, PROBLEM, texts.NO_PATH % (path, role))
            return
        if disk is None:
            checks.add(name, NOTE, texts.NO_DISK_OF % (path, role))
            del server[key]
            return
        server[key] = disk
    devices = plan["roles"][role].get("devices")
    if disk not in answer["disks"]:
        disks = ", ".join(answer["disks"][:MAX_NAMES])
        checks.add(name, PROBLEM, texts.NO_DISK % (disk, role, disks or "-"))
    elif devices and not re.search(devices, disk):
        checks.add(name, PROBLEM, texts.DISK_LEFT_OUT % (disk, role, devices))
    else:
        checks.add(name, OK, text)


def check_selection(key, match, role, plan, answer, checks):
    """A process that a virtual server needs must not be left out by the role's `only` or `tasks`."""
    for option in ("only", "tasks"):
        selected = answer["matches"].get(option)
        if not plan["roles"][role].get(option) or not selected or not match or not match["pids"]:
            continue
        if selected["pids"] and not set(selected["pids"]) & set(match["pids"]):
            pattern = plan["roles"][role][option]
            checks.add(key, PROBLEM, texts.LEFT_OUT % (role, option, pattern))


def check_accelerator(name, match, plan, checks):
    """The plan's accelerator against /dev/kvm among the open files of QEMU."""
    uses = [process.get("kvm") for process in (match or {"shown": []})["shown"]]
    if not uses:
        return
    key = name + ".accelerator"
    is_used = True if True in uses else None if None in uses else False
    if is_used is None:
        checks.add(key, NOTE, texts.ACCELERATOR_UNKNOWN % plan["accelerator"])
    elif is_used == (plan["accelerator"] == "kvm"):
        checks.add(key, OK, plan["accelerator"])
    else:
        text = texts.KVM_IN_USE if is_used else texts.KVM_NOT_IN_USE
        checks.add(key, PROBLEM, text % plan["accelerator"])


def check_space(machines, plan, answers, out, checks):
    """Free space for the logs, on each machine and where they are collected."""
    seconds = plan["before_s"] + load_command.total_duration_s(plan)[0] + plan["after_s"]
    total_bytes = 0
    for machine in machines:
        answer = answers.get(machine.name)
        if answer is None or machine.role.get("rotate"):
            continue
        processes = answer["processes"]
        if machine.role.get("only"):
            processes = len((answer["matches"].get("only") or {"pids": []})["pids"])
        per_sample = BYTES_PER_SAMPLE + BYTES_PER_PROCESS * processes
        needed = per_sample * seconds / (machine.role.get("interval_s") or plan["interval_s"])
        total_bytes += needed
        add_space(machine.name + ".space", answer["free_bytes"], needed, checks)
    add_space(
        "client.space",
        machine_check.free_bytes(os.path.dirname(os.path.abspath(out))),
        total_bytes,
        checks,
    )


def add_space(name, free, needed, checks):
    """One check of free space; both in bytes."""
    is_enough = free >= needed + RESERVE_BYTES
    text = (texts.SPACE if is_enough else texts.NO_SPACE) % (free / 1e6, max(1, needed / 1e6))
    checks.add(name, OK if is_enough else PROBLEM, text)
