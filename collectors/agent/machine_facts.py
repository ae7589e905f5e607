#!/usr/bin/env python3
"""machine_facts.py - hardware, kernel and settings of a machine, as facts.json of a raw run.

USAGE     machine_facts.py [--role client] [--hostname ALIAS] [--out FILE]   (collect writes its own)
NEEDS     Python >= 3.6, Linux. No root.
OVERHEAD  Run once: reads about a hundred small files; systemd-detect-virt, if installed.
"""

import json
import os
import re
import resource
import subprocess
import sys
import time

import files
import top_iotop

MAX_POLICIES = 16  # CPU frequency policies that are read
HYPERVISORS = (
    ("kvm", r"\bKVM\b|OpenStack|Google Compute Engine|\bAmazon EC2\b|DigitalOcean"),
    ("qemu", r"QEMU"),  # with or without KVM
    ("vmware", r"VMware"),
    ("microsoft", r"Microsoft Corporation Virtual Machine"),
    ("oracle", r"VirtualBox|innotek"),
    ("xen", r"\bXen\b"),
    ("parallels", r"Parallels"),
    ("bhyve", r"\bBHYVE\b"),
)
"""Names as of systemd-detect-virt, and patterns of the machine's vendor and product."""
CONTAINER_FILES = (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"))


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


def read_number(path):
    """A whole number of a small file, None if it has none."""
    try:
        return int(read_text(path))
    except (TypeError, ValueError):
        return None


def read_selected(path):
    """The choice in brackets of a file such as queue/scheduler, its text where it has no brackets."""
    text = read_text(path)
    m = re.search(r"\[([^\]]+)\]", text or "")
    return m.group(1) if m else text or None


def read_smt(root=""):
    """Simultaneous multithreading: {"active": true, false or null, "control": text or null}."""
    folder = root + "/sys/devices/system/cpu/smt"
    active = read_number(folder + "/active")
    return {
        "active": None if active is None else active == 1,
        "control": read_text(folder + "/control"),
    }


def read_cpu_frequency(root=""):
    """Scaling driver, governors, turbo, and frequencies in kHz; a value that is not available is null.

    Ranges are [smallest, largest] over the CPUs. A virtual machine usually has none of it.
    """
    folder = root + "/sys/devices/system/cpu"
    try:
        policies = sorted(os.listdir(folder + "/cpufreq"))
    except OSError:
        policies = []
    policies = [folder + "/cpufreq/" + n for n in policies if n.startswith("policy")]
    # reading the current frequency may interrupt the CPU: of a few only, from the first to the last
    policies = policies[:: len(policies) // MAX_POLICIES + 1]

    def distinct(name):
        return sorted({t for t in (read_text(p + "/" + name) for p in policies) if t}) or None

    def limits(name):
        values = [v for v in (read_number(p + "/" + name) for p in policies) if v is not None]
        return [min(values), max(values)] if values else None

    no_turbo = read_number(folder + "/intel_pstate/no_turbo")
    turbo = read_number(folder + "/cpufreq/boost") if no_turbo is None else 1 - no_turbo
    return {
        "drivers": distinct("scaling_driver"),
        "governors": distinct("scaling_governor"),
        "turbo": None if turbo is None else turbo == 1,
        "current_khz": limits("scaling_cur_freq"),
        "min_khz": limits("scaling_min_freq"),
        "max_khz": limits("scaling_max_freq"),
    }


def read_virtualization(root=""):
    """Whether this machine is a guest or a container: {"vm", "container", "signs"}.

    `vm`: name of the hypervisor, "unknown" where only its presence shows, "none" where the CPU shows
    none, null where that cannot be determined. `container`: its kind, "unknown", or "none".
    `signs`: what shows it.
    """
    signs = []
    vm = container = None
    cpu_text = read_text(root + "/proc/cpuinfo") or ""
    cpu_flags = re.search(r"^flags\s*:(.*)$", cpu_text, re.M)
    if cpu_flags and "hypervisor" in cpu_flags.group(1).split():
        vm = "unknown"
        signs.append("/proc/cpuinfo: hypervisor")
    elif cpu_flags:
        vm = "none"
    dmi = [read_text(root + "/sys/class/dmi/id/" + n) for n in ("sys_vendor", "product_name")]
    text = " ".join(t for t in dmi if t)
    for name, pattern in (
        HYPERVISORS if vm != "none" else ()
    ):  # bare metal of a cloud has its name too
        if re.search(pattern, text):
            vm = name
            signs.append("/sys/class/dmi/id: " + text)
            break
    kind = read_text(root + "/sys/hypervisor/type")
    if kind and vm in (None, "unknown"):
        vm = kind
        signs.append("/sys/hypervisor/type: " + kind)
    kind = read_text(root + "/run/systemd/container")
    if kind:
        container = kind
        signs.append("/run/systemd/container: " + kind)
    for path, kind in CONTAINER_FILES:
        if os.path.exists(root + path):
            container = container or kind
            signs.append(path)
    m = re.search(
        r"/(docker|lxc|kubepods|libpod|garden)\b", read_text(root + "/proc/1/cgroup") or ""
    )
    if m:
        container = container or m.group(1)
        signs.append("/proc/1/cgroup: " + m.group(1))
    if not root:
        vm, container = ask_systemd(vm, container, signs)
    return {"vm": vm, "container": container or "none", "signs": signs}


def ask_systemd(vm, container, signs):
    """(vm, container) completed by systemd-detect-virt, where it is installed."""
    answers = []
    for option in ("--vm", "--container"):
        try:
            p = subprocess.run(
                ["systemd-detect-virt", option],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=2,
            )
        except (OSError, subprocess.TimeoutExpired):
            return vm, container
        answers.append(p.stdout.decode("ascii", "replace").strip()[:40] or None)
    signs.append("systemd-detect-virt: %s, %s" % tuple(answers))
    if answers[0] not in (None, "none") or vm is None:
        vm = answers[0]
    if container is None and answers[1] not in (None, "none"):
        container = answers[1]
    return vm, container


def read_open_file_limit():
    """[soft, hard] limit of open files of this process and of what its parent starts; null: none."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [None if limit == resource.RLIM_INFINITY else limit for limit in limits]


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
                "scheduler": read_selected(base + "/queue/scheduler"),
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
        "virtualization": read_virtualization(),
        "smt": read_smt(),
        "cpu_frequency": read_cpu_frequency(),
        "cpuidle_driver": read_text("/sys/devices/system/cpu/cpuidle/current_driver"),
        "halt_poll_ns": read_number("/sys/module/kvm/parameters/halt_poll_ns"),
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
    facts["open_file_limit"] = read_open_file_limit()
    if options.out:
        files.write_json(options.out, facts)
    else:
        json.dump(facts, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
