#!/usr/bin/env python3
"""machine_facts.py - hardware, kernel and settings of a machine, as facts.json of a raw run.

USAGE     machine_facts.py [--role client] [--hostname ALIAS] [--out FILE]   (collect writes its own)
NEEDS     Python >= 3.6, Linux. No root.
OVERHEAD  Run once: reads about thirty small files.
"""

import json
import os
import re
import sys
import time

import files
import top_iotop


def read_text(path):
    """A small file's text without white space at its ends, None if it cannot be read."""
    try:
        with open(path, "rb") as f:
            return f.read(1 << 20).decode("utf-8", "replace").strip()
    except OSError:
        return None


def read_boot_id():
    """The kernel's id of the current boot, "unknown" without one."""
    return read_text("/proc/sys/kernel/random/boot_id") or "unknown"


def read_os_name():
    """The distribution's name, as in /etc/os-release."""
    text = read_text("/etc/os-release") or read_text("/usr/lib/os-release") or ""
    m = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', text, re.M)
    return m.group(1) if m else read_text("/etc/redhat-release") or "unknown"


def read_cpu_model():
    """As in /proc/cpuinfo, None where the kernel prints none."""
    text = read_text("/proc/cpuinfo") or ""
    m = re.search(r"^(?:model name|Processor|cpu model)\s*:\s*(.*)$", text, re.M)
    return m.group(1) if m else None


def read_memory_bytes():
    """MemTotal of /proc/meminfo, None where it is missing."""
    m = re.search(r"^MemTotal:\s*(\d+) kB", read_text("/proc/meminfo") or "", re.M)
    return int(m.group(1)) * 1024 if m else None


def read_time_zone():
    """Name of the time zone; aliases of UTC as "UTC"."""
    if os.environ.get("TZ"):
        return os.environ["TZ"].lstrip(":")
    try:
        target = os.path.realpath("/etc/localtime")
        if "/zoneinfo/" in target:
            name = target.split("/zoneinfo/", 1)[1]
            return "UTC" if name in ("Etc/UTC", "Universal", "Zulu") else name
    except OSError:
        pass
    return read_text("/etc/timezone") or time.tzname[0]


def is_delay_accounting_on():
    """True, False, or None where it cannot be determined."""
    text = read_text("/proc/sys/kernel/task_delayacct")
    if text is not None:
        return text == "1"
    if top_iotop.kernel_version() < (5, 14) and os.path.exists("/proc/self/io"):
        return "nodelayacct" not in (read_text("/proc/cmdline") or "").split()
    return None


def list_block_devices(pattern=None):
    """Size, type and relations of each device in /sys/block whose name matches `pattern`."""
    devices = []
    try:
        names = sorted(os.listdir("/sys/block"))
    except OSError:
        names = []
    for name in names:
        if pattern and not re.search(pattern, name):
            continue
        base = "/sys/block/" + name

        def list_names(folder, base=base):
            try:
                return sorted(os.listdir(base + "/" + folder))
            except OSError:
                return []

        size = read_text(base + "/size")
        rotational = read_text(base + "/queue/rotational")
        devices.append(
            {
                "name": name,
                "size_bytes": int(size) * 512 if size else None,
                "major_minor": read_text(base + "/dev"),
                "rotational": None if rotational is None else rotational == "1",
                "partitions": [
                    n for n in list_names("") if os.path.exists("%s/%s/partition" % (base, n))
                ],
                "slaves": list_names("slaves"),
                "holders": list_names("holders"),
                "dm_name": read_text(base + "/dm/name"),
                "loop_file": os.path.basename(read_text(base + "/loop/backing_file") or "") or None,
            }
        )
    return devices


def collect_facts(role, hostname=None, devices=None):
    """facts.json without the entries of a recording."""
    system = os.uname()
    return {
        "format": "queuevisor-facts/1",
        "role": role,
        "hostname": hostname or system.nodename,
        "boot_id": read_boot_id(),
        "kernel": system.release,
        "kernel_build": system.version,
        "os": read_os_name(),
        "machine": system.machine,
        "cpu_model": read_cpu_model(),
        "cpus": os.cpu_count(),
        "memory_bytes": read_memory_bytes(),
        "clock_ticks_per_s": os.sysconf("SC_CLK_TCK"),
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "time_zone": read_time_zone(),
        "utc_offset_s": time.localtime().tm_gmtoff,
        "delay_accounting": is_delay_accounting_on(),
        "tools": {},
        "commands": {},
        "block_devices": list_block_devices(devices),
    }


def main():
    """Print or write the facts."""
    import argparse

    p = argparse.ArgumentParser(description="Print the facts of this machine, as facts.json.")
    p.add_argument("--role", default="client")
    p.add_argument("--hostname", metavar="ALIAS")
    p.add_argument("--out", metavar="FILE", help="default: standard output")
    options = p.parse_args()
    facts = collect_facts(options.role, options.hostname)
    if options.out:
        files.write_json(options.out, facts)
    else:
        json.dump(facts, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
