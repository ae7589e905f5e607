#!/usr/bin/env python3
"""machine_check.py - whether what a plan or a pattern names exists on this machine; nothing is recorded.

USAGE     collect check --only REGEX          lists the processes that match
          machine_check.py <REQUEST.json      for record_experiment.py: one JSON object on standard output
NEEDS     Python >= 3.6, Linux. No root; without it less of other users' processes can be read.
OVERHEAD  Reads /proc once: the name and the command line of each process.

The request: {"patterns": {KEY: [FIELD, REGEX]}, "logs": [PATH], "paths": [PATH], "folder": PATH}. FIELD is
`name` (the process's name), `command` (its command line) or `either`; `paths` are those whose disk is asked for.
"""

import json
import os
import re
import sys

import machine_facts
import procfs
import top_iotop

MAX_REQUEST_BYTES = 1 << 20
MAX_SHOWN = 8  # processes of one pattern, with their command lines
MAX_COMMAND_BYTES = 300
MAX_PIDS = 4096  # of one pattern in the answer
CAP_NET_ADMIN = 12
NO_MATCH = (
    "collect: no process matches %r by name or command line; list all: ps -e -o pid,comm,args\n"
)


def parent_of(pid):
    """Pid of a process's parent, 0 if it has none or has ended."""
    stat = procfs.read_start("/proc/%d/stat" % pid)
    return int(stat[stat.rfind(b")") + 2 :].split()[1]) if stat else 0


def ancestors_of(pid):
    """A process and those above it."""
    pids = set()
    while pid and pid not in pids:
        pids.add(pid)
        pid = parent_of(pid)
    return pids


def list_processes():
    """(pid, name, command line) of each process but this one."""
    processes = []
    for pid in sorted(procfs.list_pids()):
        name = procfs.read_start("/proc/%d/comm" % pid)
        if name is not None and pid != os.getpid():
            processes.append((pid, name[:-1], procfs.command_line(pid)))
    return processes


def find_matches(processes, field, pattern):
    """Pids of the processes whose `name`, `command` line or `either` matches."""
    matcher = procfs.Matcher(pattern)
    pids = []
    for pid, name, line in processes:
        if field == "name":
            is_match = bool(matcher.pattern.search(name))
        elif field == "command":
            is_match = bool(line) and matcher.matches_text(b"", line)
        else:
            is_match = matcher.matches_text(name, line)
        if is_match:
            pids.append(pid)
    return pids


def without_wrappers(pids):
    """Pids of a pattern without those that have started another one of them (sudo, sh -c)."""
    above = set()
    for pid in pids:
        above |= ancestors_of(pid) - {pid}
    return [pid for pid in pids if pid not in above]


def uses_kvm(pid):
    """Has a process opened /dev/kvm? None where its files cannot be listed."""
    folder = "/proc/%d/fd" % pid
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    for name in names:
        try:
            target = os.readlink(folder + "/" + name)
        except OSError:
            continue
        if target == "/dev/kvm" or target.startswith("anon_inode:kvm-vm"):
            return True
    return False


def is_io_readable(pid):
    """May /proc/PID/io be read? None where the kernel has no such file, or the process has ended."""
    try:
        with open("/proc/%d/io" % pid, "rb") as f:
            f.read(1)
    except PermissionError:
        return False
    except OSError:
        return None
    return True


def printable(text):
    """A text for the terminal: a process's own may hold control characters."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def describe_process(pid):
    """Name and redacted command line of a process for a list."""
    name = procfs.read_start("/proc/%d/comm" % pid) or b""
    line = procfs.redacted_command_line(pid)
    return {
        "pid": pid,
        "name": name.rstrip(b"\n").decode("utf-8", "replace"),
        "command": line[:MAX_COMMAND_BYTES].decode("utf-8", "replace"),
        "kvm": uses_kvm(pid),
        "io": is_io_readable(pid),
    }


def log_problem(path):
    """Why a server's log cannot be read, None if it can."""
    if not os.path.isabs(path):
        return "not an absolute path"
    try:
        if not os.path.isfile(os.path.realpath(path)):
            os.stat(path)
            return "not a regular file"
        with open(path, "rb"):
            return None
    except OSError as e:
        return e.strerror.lower()


def free_bytes(folder):
    """Free space where a folder is, or would be made."""
    folder = os.path.abspath(folder)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    s = os.statvfs(folder)
    return s.f_bavail * s.f_frsize


def has_net_admin():
    """Is CAP_NET_ADMIN in effect, by which iotop reads what root may?"""
    m = re.search(rb"^CapEff:\s*([0-9a-f]+)", procfs.read_start("/proc/self/status") or b"", re.M)
    return bool(m and int(m.group(1), 16) >> CAP_NET_ADMIN & 1)


def list_disks():
    """Names of the block devices, as in /sys/block."""
    try:
        return sorted(os.listdir("/sys/block"))
    except OSError:
        return []


def disk_name(major_minor):
    """Name in /sys/block of the disk with that "major:minor", or of the disk of which it is a partition."""
    path = os.path.realpath("/sys/dev/block/" + major_minor)
    if os.path.exists(path + "/partition"):
        path = os.path.dirname(path)
    name = os.path.basename(path)
    return name if os.path.isdir("/sys/block/" + name) else None


def disk_of(path):
    """Name of the disk on which a path lies; None if no block device holds it, "" if it does not exist."""
    try:
        device = os.stat(path).st_dev
    except OSError:
        return ""
    name = disk_name("%d:%d" % (os.major(device), os.minor(device)))
    if name is not None:
        return name
    # btrfs and the like have a device number of their own: the mount's source is the device
    for line in (
        (procfs.read_start("/proc/self/mountinfo", 1 << 20) or b"")
        .decode("utf-8", "replace")
        .splitlines()
    ):
        fields, _, source = line.partition(" - ")
        fields, source = fields.split(), source.split()
        if len(fields) > 2 and fields[2] == "%d:%d" % (os.major(device), os.minor(device)):
            try:
                number = os.stat(source[1]).st_rdev
            except (OSError, IndexError):
                continue
            return disk_name("%d:%d" % (os.major(number), os.minor(number)))
    return None


def check(request):
    """The answer to a request."""
    processes = list_processes()
    matches = {}
    for key, (field, pattern) in request["patterns"].items():
        pids = find_matches(processes, field, pattern)
        matches[key] = {
            "pids": pids[:MAX_PIDS],
            "separate": len(without_wrappers(pids)),
            "shown": [describe_process(pid) for pid in pids[:MAX_SHOWN]],
        }
    return {
        "boot_id": machine_facts.read_boot_id(),
        "python": "%d.%d.%d" % sys.version_info[:3],
        "is_root": os.geteuid() == 0,
        "has_net_admin": has_net_admin(),
        "delay_accounting": machine_facts.is_delay_accounting_on(),
        "top": top_iotop.find_program("top") is not None,
        "disks": list_disks(),
        "disk_of": {path: disk_of(path) for path in request["paths"]},
        "processes": len(processes),
        "free_bytes": free_bytes(request["folder"]),
        "matches": matches,
        "logs": {path: log_problem(path) for path in request["logs"]},
    }


def print_matches(pattern):
    """Print what a pattern for --only matches; exit code 2 if nothing does."""
    pids = find_matches(list_processes(), "either", pattern)
    if not pids:
        sys.stderr.write(NO_MATCH % pattern)
        return 2
    for pid in pids:
        process = describe_process(pid)
        print("%7d  %-15s  %s" % (pid, printable(process["name"]), printable(process["command"])))
    return 0


def main(argv):
    """Answer the request on standard input, or list what `--only` matches; the exit code."""
    if len(argv) == 2 and argv[0] == "--only":
        try:
            return print_matches(argv[1])
        except re.error as e:
            sys.stderr.write("collect: --only: not a regular expression: %s\n" % e)
            return 2
    if argv:
        print(__doc__, file=sys.stderr)
        return 2
    request = json.loads(sys.stdin.buffer.read(MAX_REQUEST_BYTES).decode("utf-8"))
    json.dump(check(request), sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
