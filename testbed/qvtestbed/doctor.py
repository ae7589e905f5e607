"""Check whether this machine has what the testbed needs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import memory_latency, plan

PROGRAMS = {  # program: Debian package
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "losetup": "mount",
    "umount": "mount",
    "httperf": "httperf",
    "sysbench": "sysbench",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "zstd": "zstd",
    "top": "procps",
    "iotop": "iotop",
    "python3": "python3",
    "cp": "coreutils",
}
DEVICES = {
    "/dev/loop-control": "loop devices (modprobe loop)",
    "/dev/fuse": "FUSE, for the paced disks (modprobe fuse)",
}
MIN_CPUS = 2


def find_program(name: str) -> str | None:
    """Find a program, in the system folders too; None if it is missing."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"
    return shutil.which(name, path=path)


def list_missing() -> tuple[list[str], list[str]]:
    """List the missing Debian packages and the missing kernel features."""
    packages = {package for program, package in PROGRAMS.items() if not find_program(program)}
    return sorted(packages), [text for path, text in DEVICES.items() if not Path(path).exists()]


def format_fix(packages: list[str], kernel_features: list[str]) -> str:
    """Format one line that says how to provide what is missing."""
    return "; ".join(
        ([f"fix: apt install {' '.join(packages)}"] if packages else [])
        + [f"the kernel needs {feature}" for feature in kernel_features]
    )


def print_report() -> int:
    """Print each requirement and whether it is met; return 0 if all are, else 1."""

    def print_line(is_met: bool, name: str, detail: str) -> None:
        print(f"{'ok' if is_met else 'missing':8} {name:20} {detail}".rstrip())

    packages, kernel_features = list_missing()
    for program, package in PROGRAMS.items():
        path = find_program(program)
        print_line(path is not None, program, path or f"(package {package})")
    for device, text in DEVICES.items():
        print_line(Path(device).exists(), device, text)
    cpus = len(os.sched_getaffinity(0))
    is_root = os.geteuid() == 0
    print_line(cpus >= MIN_CPUS, "CPUs", f"{cpus} (at least {MIN_CPUS})")
    print_line(is_root, "root", "" if is_root else "(run as root, e.g. with sudo)")
    kvm = (
        "present; `up`, `run` and `study` test whether a guest boots on it"
        if Path("/dev/kvm").exists()
        else "absent; guests run under emulation (TCG)"
    )
    print(f"{'note':8} {'/dev/kvm':20} {kvm}")
    latency_ns = memory_latency.measure_median_latency_ns()
    max_latency_ns = plan.read_plan()["max_memory_latency_ns"]
    verdict = "below" if latency_ns < max_latency_ns else "not below, emulation is slow;"
    print(
        f"{'note':8} {'memory latency':20} {latency_ns:.0f} ns per access ({verdict} the plan's "
        f"limit of {max_latency_ns:g} ns)"
    )
    if packages or kernel_features:
        print(format_fix(packages, kernel_features))
    return 1 if packages or kernel_features or cpus < MIN_CPUS or not is_root else 0
