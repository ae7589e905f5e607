"""The processes of the simulated machines: ids, memory, CPU time before the recording."""

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
    """Its share of the CPU time of processes other than the server's."""


@dataclass(frozen=True)
class Hardware:
    """A machine's hardware, and the width of process ids in its tools."""

    cpus: int
    memory_kib: int
    pid_width: int


GUEST_HARDWARE, HOST_HARDWARE = Hardware(1, 480_266, 7), Hardware(4, 24_684_134, 5)

OTHER_PROCESSES = (
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
"""Processes of a guest other than the server's; the index is the owner number."""

JOURNAL_OWNER = next(i for i, process in enumerate(OTHER_PROCESSES) if process.comm == "jbd2/vda-8")
"""Owner of disk operations that are not the server's."""
SERVER_OWNER = len(OTHER_PROCESSES)
"""Owner of the server's work without a request."""
FIRST_WORKER = SERVER_OWNER + 1
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
"""Thread of the database that runs its background work."""
FIRST_CONNECTION = 496
"""First of the database's threads that serve connections."""
FIRST_NEW_PID = 700
"""First process id of processes that start during the recording."""

WEB_WORKERS = 5
"""Workers of a web server at the start (Apache's StartServers)."""

VIRTUAL_DISK = "vda"
"""Device name of the guest's disk in the guest."""

SERVER_PROCESSES = {"open": "^apache2$", "closed": "^(mariadbd|mysqld)$"}
REQUEST = {"open": "HTTP request", "closed": "transaction"}
CLIENT_TOOL = {"open": "httperf", "closed": "sysbench"}
SERVER_LOG = {"open": "access", "closed": "general"}

QEMU = Process(12339, "qemu-system-x86", virtual_kib=2233972, resident_kib=1258291, shared_kib=28348,
               used_s=85.37)  # fmt: skip
QEMU_PID_STEP = 18
"""Difference of the process ids of consecutive guests' QEMU."""
IOTHREAD_OFFSET, VCPU_OFFSET = 13, 16
"""Thread ids of a QEMU relative to its process id."""

HOST_WRITER = Process(411, "jbd2/sda1-8", used_s=2.1)
HOST_PROCESSES = (
    Process(1, "systemd", virtual_kib=102480, resident_kib=12204, shared_kib=9112, used_s=7.11),
    Process(2, "kthreadd", used_s=0.05),
    HOST_WRITER,
)


def worker_pid(kind: Kind, number: int) -> int:
    """Id of a worker: a process of the web server, a thread of the database."""
    if kind == "closed":
        return FIRST_CONNECTION + number
    if number < WEB_WORKERS:
        return WEB_WORKER.pid + number
    return FIRST_NEW_PID + number


def qemu_pid(guest: int) -> int:
    """Process id of the QEMU of the ``guest``-th virtual server."""
    return QEMU.pid + QEMU_PID_STEP * guest


def qemu_command(name: str, disk: str, accelerator: str) -> str:
    """QEMU's command line."""
    return (
        f"qemu-system-x86_64 -name guest={name},debug-threads=on -nodefaults -machine pc -accel {accelerator} "
        f"-cpu max -smp 1 -m 512M -display none -object iothread,id=iothread0 "
        f"-drive if=none,id=disk0,file=/dev/{disk},format=raw,cache=none,aio=native "
        "-device virtio-blk-pci,drive=disk0,iothread=iothread0"
    )
