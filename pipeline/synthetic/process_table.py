"""Who runs on the simulated machines: processes, their numbers, and what they had used before the recording."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.synthetic.plan import Kind


@dataclass(frozen=True)
class Process:
    """One process as top shows it. Memory in KiB."""

    pid: int
    comm: str
    user: str = "root"
    priority: str = "20"
    nice: int = 0
    virtual_kib: int = 0
    resident_kib: int = 0
    shared_kib: int = 0
    state: str = "S"
    used_s: float = 0.0
    """CPU time before the recording."""
    cpu_share: float = 0.0
    """Its part of what the processes that are not the server's use."""


@dataclass(frozen=True)
class Hardware:
    """What a machine has; and how wide its tools print a process's number."""

    cpus: int
    memory_kib: int
    pid_width: int


GUEST, HOST = Hardware(1, 480_266, 7), Hardware(4, 24_684_134, 5)

OTHERS = (
    Process(1, "systemd", virtual_kib=19272, resident_kib=11048, shared_kib=9044, used_s=5.78),
    Process(2, "kthreadd", used_s=0.14),
    Process(14, "ksoftirqd/0", used_s=1.03, cpu_share=0.1),
    Process(15, "rcu_preempt", state="I", used_s=3.46, cpu_share=0.1),
    Process(17, "kworker/0:1-events", state="I", used_s=0.29, cpu_share=0.05),
    Process(135, "jbd2/vda-8", used_s=0.16, cpu_share=0.05),
    Process(240, "sshd", virtual_kib=15448, resident_kib=9352, shared_kib=8016, used_s=0.65),
    Process(422, "python3", virtual_kib=19264, resident_kib=14020, shared_kib=5504, used_s=0.9,
            cpu_share=0.25),
    Process(424, "top", virtual_kib=8436, resident_kib=4592, shared_kib=2732, state="R",
            used_s=0.28, cpu_share=0.2),
    Process(426, "iotop-py", virtual_kib=18792, resident_kib=13556, shared_kib=6404, used_s=0.9,
            cpu_share=0.25),
)  # fmt: skip
"""Processes of a guest that are not the server's; their place is their number as owners."""

WRITER = next(i for i, process in enumerate(OTHERS) if process.comm == "jbd2/vda-8")
"""Whose the disk operations are that no process of the server asked for."""
SERVER = len(OTHERS)
"""Owner of what the server's own processes do without a request."""
WORKERS = SERVER + 1
"""Owner number of the first worker."""

WEB_MASTER = Process(
    277, "apache2", virtual_kib=5932, resident_kib=4100, shared_kib=2924, used_s=0.38
)
WEB_WORKER = Process(
    282, "apache2", "www-data", virtual_kib=6004, resident_kib=3832, shared_kib=2592
)
DATABASE = Process(
    368,
    "mariadbd",
    "mysql",
    virtual_kib=1134780,
    resident_kib=164536,
    shared_kib=21604,
    used_s=128.3,
)
DATABASE_FLUSHER = 372
"""Thread of the database that works without requests."""
FIRST_CONNECTION = 496
"""First of the database's threads that serve connections."""
BORN_PIDS = 700
"""Processes that are born in the recording get numbers from here on."""

WEB_WORKERS = 5
"""Workers of a web server that are there at the start (Apache's StartServers)."""

VIRTUAL_DISK = "vda"
"""A guest's disk, as the guest calls it."""

SERVER_PROCESSES = {"open": "^apache2$", "closed": "^(mariadbd|mysqld)$"}
REQUEST = {"open": "HTTP request", "closed": "transaction"}
CLIENT_TOOL = {"open": "httperf", "closed": "sysbench"}
SERVER_LOG = {"open": "access", "closed": "general"}

QEMU = Process(12339, "qemu-system-x86", virtual_kib=2233972, resident_kib=1258291, shared_kib=28348,
               used_s=85.37)  # fmt: skip
QEMU_STEP = 18
"""The next guest's QEMU has a number so much higher."""
IOTHREAD, VCPU = 13, 16
"""Threads of a QEMU: so much above its leader's number."""

HOST_WRITER = Process(411, "jbd2/sda1-8", used_s=2.1)
HOST_OTHERS = (
    Process(1, "systemd", virtual_kib=102480, resident_kib=12204, shared_kib=9112, used_s=7.11),
    Process(2, "kthreadd", used_s=0.05),
    HOST_WRITER,
)


def worker_pid(kind: Kind, number: int) -> int:
    """Number of a worker: a process of the web server, a thread of the database."""
    if kind == "closed":
        return FIRST_CONNECTION + number
    if number < WEB_WORKERS:
        return WEB_WORKER.pid + number
    return BORN_PIDS + number


def qemu_pid(guest: int) -> int:
    """Number of the QEMU process of the ``guest``-th virtual server."""
    return QEMU.pid + QEMU_STEP * guest


def qemu_command(name: str, disk: str, accelerator: str) -> str:
    """QEMU's command line."""
    return (
        f"qemu-system-x86_64 -name guest={name},debug-threads=on -nodefaults -machine pc -accel {accelerator} "
        f"-cpu max -smp 1 -m 512M -display none -object iothread,id=iothread0 "
        f"-drive if=none,id=disk0,file=/dev/{disk},format=raw,cache=none,aio=native "
        "-device virtio-blk-pci,drive=disk0,iothread=iothread0"
    )
