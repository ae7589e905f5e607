#!/usr/bin/env python3
"""machine_facts.py - what a machine is, as facts.json of a raw run.

USAGE     machine_facts.py [--role client] [--hostname ALIAS] [--out FILE]   (collect writes its own)
NEEDS     Python >= 3.6, Linux. No root.
OVERHEAD  Run once: reads some thirty small files.
"""

import json
import os
import re
import sys
import time

import files
import top_iotop


def read(path):
    """A small file's text without its last line's end, None if it cannot be read."""
    try:
        with open(path, "rb") as f:
            return f.read(1 << 20).decode("utf-8", "replace").strip()
    except OSError:
        return None


def boot_id():
    """What tells one boot of a machine from the next."""
    return read("/proc/sys/kernel/random/boot_id") or "unknown"


def operating_system():
    """The distribution's own name for itself."""
    text = read("/etc/os-release") or read("/usr/lib/os-release") or ""
    m = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', text, re.M)
    return m.group(1) if m else read("/etc/redhat-release") or "unknown"


def cpu_model():
    """As the kernel prints it, None where it does not."""
    text = read("/proc/cpuinfo") or ""
    m = re.search(r"^(?:model name|Processor|cpu model)\s*:\s*(.*)$", text, re.M)
    return m.group(1) if m else None


def memory_bytes():
    """Memory the kernel manages."""
    m = re.search(r"^MemTotal:\s*(\d+) kB", read("/proc/meminfo") or "", re.M)
    return int(m.group(1)) * 1024 if m else None


def time_zone():
    """The zone's name; UTC by its plain name."""
    if os.environ.get("TZ"):
        return os.environ["TZ"].lstrip(":")
    try:
        target = os.path.realpath("/etc/localtime")
        if "/zoneinfo/" in target:
            name = target.split("/zoneinfo/", 1)[1]
            return "UTC" if name in ("Etc/UTC", "Universal", "Zulu") else name
    except OSError:
        pass
    return read("/etc/timezone") or time.tzname[0]


def delay_accounting():
    """True, False, or None where the kernel does not say."""
    text = read("/proc/sys/kernel/task_delayacct")
    if text is not None:
        return text == "1"
    if top_iotop.kernel() < (5, 14) and os.path.exists("/proc/self/io"):
        return "nodelayacct" not in (read("/proc/cmdline") or "").split()
    return None


def block_devices(pattern=None):
    """What /sys/block tells of each device; `pattern` chooses by name."""
    devices = []
    try:
        names = sorted(os.listdir("/sys/block"))
    except OSError:
        names = []
    for name in names:
        if pattern and not re.search(pattern, name):
            continue
        base = "/sys/block/" + name

        def folder(sub, base=base):
            try:
                return sorted(os.listdir(base + "/" + sub))
            except OSError:
                return []

        size = read(base + "/size")
        rotational = read(base + "/queue/rotational")
        devices.append(
            {
                "name": name,
                "size_bytes": int(size) * 512 if size else None,
                "major_minor": read(base + "/dev"),
                "rotational": None if rotational is None else rotational == "1",
                "partitions": [
                    n for n in folder("") if os.path.exists("%s/%s/partition" % (base, n))
                ],
                "slaves": folder("slaves"),
                "holders": folder("holders"),
                "dm_name": read(base + "/dm/name"),
                "loop_file": os.path.basename(read(base + "/loop/backing_file") or "") or None,
            }
        )
    return devices


def machine(role, hostname=None, devices=None):
    """facts.json, but for what only a recording can know."""
    u = os.uname()
    return {
        "format": "queuevisor-facts/1",
        "role": role,
        "hostname": hostname or u.nodename,
        "boot_id": boot_id(),
        "kernel": u.release,
        "kernel_build": u.version,
        "os": operating_system(),
        "machine": u.machine,
        "cpu_model": cpu_model(),
        "cpus": os.cpu_count(),
        "memory_bytes": memory_bytes(),
        "clock_ticks_per_s": os.sysconf("SC_CLK_TCK"),
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "time_zone": time_zone(),
        "utc_offset_s": time.localtime().tm_gmtoff,
        "delay_accounting": delay_accounting(),
        "tools": {},
        "commands": {},
        "block_devices": block_devices(devices),
    }


def main():
    """Print or write the facts."""
    import argparse

    p = argparse.ArgumentParser(description="Print what this machine is, as facts.json.")
    p.add_argument("--role", default="client")
    p.add_argument("--hostname", metavar="ALIAS")
    p.add_argument("--out", metavar="FILE", help="default: standard output")
    a = p.parse_args()
    facts = machine(a.role, a.hostname)
    if a.out:
        files.write_json(a.out, facts)
    else:
        json.dump(facts, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
