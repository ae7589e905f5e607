"""What the testbed needs of this machine."""

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
FILES = {
    "/dev/loop-control": "loop devices (modprobe loop)",
    "/dev/fuse": "FUSE, for the paced disks (modprobe fuse)",
}


def program_path(name: str) -> str | None:
    """Where a program is; the system folders are looked at too."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"
    return shutil.which(name, path=path)


def lacking() -> list[str]:
    """Packages and devices that are not there."""
    packages = {package for program, package in PROGRAMS.items() if not program_path(program)}
    return sorted(packages) + [text for path, text in FILES.items() if not Path(path).exists()]


def install_line(names: list[str]) -> str:
    """The one line that mends it."""
    packages = [name for name in names if " " not in name]
    rest = [name for name in names if " " in name]
    return "; ".join(
        ([f"mend it: apt install {' '.join(packages)}"] if packages else [])
        + [f"the kernel must have {name}" for name in rest]
    )


def show() -> int:
    """Print what is there and what is not; 0 if nothing lacks."""
    missing = lacking()
    for program, package in PROGRAMS.items():
        path = program_path(program)
        print(f"{'ok     ' if path else 'lacking'}  {program:20} {path or f'(package {package})'}")
    for path, text in FILES.items():
        print(f"{'ok     ' if Path(path).exists() else 'lacking'}  {path:20} {text}")
    cpus = len(os.sched_getaffinity(0))
    print(f"{'ok     ' if cpus > 1 else 'lacking'}  CPUs                 {cpus} (2 are needed)")
    print(f"{'ok     ' if os.geteuid() == 0 else 'lacking'}  root")
    print(
        "note     /dev/kvm             "
        + (
            "is there; whether a guest runs on it is tried when one is put up"
            if Path("/dev/kvm").exists()
            else "is not there; guests run by emulation"
        )
    )
    found, quiet = memory_latency.now_ns(), plan.load()["quiet_ns"]
    print(
        f"note     memory               {found:.0f} ns a step of a walk: "
        + ("quiet" if found < quiet else f"not quiet, and emulation is slow ({quiet} is wanted)")
    )
    if missing:
        print(install_line(missing))
    return 1 if missing or cpus < 2 or os.geteuid() != 0 else 0
