"""Put up one of the two servers, and take it down: control groups, disks, guests."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import socket
import subprocess
import time
from pathlib import Path

from . import delay_accounting, disks, image_build, listen_backlog, paths, qemu
from .cgroups import Groups
from .cleanup import Owned
from .console import say
from .paths import GUESTS, SERVICE_PORTS, SSH_PORTS, STATE, TestbedError

SSH_CONFIG = STATE / "ssh" / "config"
RUNNING = STATE / "running.json"
UP = STATE / "up.json"
KVM_PROBE = STATE / "images" / "kvm_probe.json"

ENTER_GROUPS = """for file; do
  shift
  [ "$file" = -- ] && break
  echo $$ > "$file" || exit 1
done
exec "$@"
"""
"""For sh -c: enter the groups named before `--`, then become the command after it."""

SET_CLOCK = (
    "import sys,time;print('ready',flush=True);"
    "time.clock_settime(time.CLOCK_REALTIME,float(sys.stdin.readline()))"
)


def entering(group: str, command: list[str]) -> list[str]:
    """The command, begun inside a control group (`servers`, `loads`)."""
    files = [str(path / "cgroup.procs") for path in Groups().folders(group)]
    return ["sh", "-c", ENTER_GROUPS, "sh", *files, "--", *command]


class Lock:
    """Only one testbed at a time."""

    def __enter__(self) -> Lock:
        STATE.mkdir(parents=True, exist_ok=True)
        self.file = (STATE / "lock").open("w")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TestbedError("another testbed command is at work on this machine") from None
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def write_ssh_config() -> None:
    """`ssh -F …/config web` reaches the guest, checks its key, and asks nothing."""
    parts = [
        f"""Host {guest}
  HostName 127.0.0.1
  Port {SSH_PORTS[guest]}
  User root
  IdentityFile {image_build.key()}
  IdentitiesOnly yes
  UserKnownHostsFile {image_build.known_hosts()}
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 60
  ServerAliveInterval 30
  LogLevel ERROR
"""
        for guest in GUESTS
    ]
    SSH_CONFIG.parent.mkdir(parents=True, exist_ok=True)
    SSH_CONFIG.write_text("".join(parts))


def ssh_command(guest: str) -> list[str]:
    """The words that reach a guest."""
    return ["ssh", "-F", str(SSH_CONFIG), guest]


def ssh(guest: str, command: str, limit_s: float = 120.0) -> str:
    """Run a command in a guest; its standard output."""
    try:
        done = subprocess.run(
            [*ssh_command(guest), command],
            capture_output=True,
            text=True,
            timeout=limit_s,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise TestbedError(f"{guest}: no answer to {command!r} within {limit_s:.0f} s") from None
    if done.returncode:
        raise TestbedError(f"{guest}: {command!r} failed: {done.stderr.strip()}")
    return done.stdout


def accelerator(limit_s: float = 15.0, wanted: str = "auto") -> str:
    """kvm if a guest really runs on it, else tcg; says which and why, asks once a boot."""
    if wanted in ("kvm", "tcg"):
        return wanted
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    if KVM_PROBE.exists():
        kept = json.loads(KVM_PROBE.read_text())
        if kept.get("boot_id") == boot:
            return kept["accelerator"]
    guest = "web"
    works, why = qemu.kvm_runs_a_guest(
        image_build.kernel(guest), image_build.initrd(guest), limit_s
    )
    found = "kvm" if works else "tcg"
    say(f"accelerator: {found} ({why})")
    KVM_PROBE.write_text(json.dumps({"boot_id": boot, "accelerator": found, "why": why}))
    return found


def up(
    server: str, guests: tuple[str, ...] = GUESTS, *, wanted: str = "auto", limit_s: float = 300.0
) -> dict:
    """Put a server up; returns what is needed to record on it (also kept in up.json)."""
    envelope = paths.envelope(server)
    if Owned(RUNNING).items:
        down()
    for guest in guests:
        if not image_build.is_built(guest):
            raise TestbedError(f"the image of {guest} is not built: testbed.py build")
    things = Owned(RUNNING)
    chosen = accelerator(wanted=wanted)
    folder = STATE / "servers" / server
    folder.mkdir(parents=True, exist_ok=True)
    write_ssh_config()
    started = time.monotonic()
    try:
        switch_on_delay_accounting(things, os.getpid())
        groups = Groups()
        things.add("cgroups")
        # the whole CPU until the guests are up: their kernels misread their timers on less
        groups.make(
            "servers",
            groups.settings(envelope["cpus"], len(envelope["cpus"]), envelope["cpu_period_us"]),
        )
        groups.make("loads", groups.settings([load_cpu(envelope)], 1.0, 100000))
        found: dict = {"server": server, "accelerator": chosen, "guests": {}}
        for guest in guests:
            disks.prepare_file(guest, folder)
            disk = disks.attach(guest, folder, envelope["disk"], things)
            if disk["pid"]:
                os.sched_setaffinity(disk["pid"], {load_cpu(envelope)})
                if not is_real_time(disk["pid"]):
                    groups.enter("loads", disk["pid"])
            found["guests"][guest] = {
                "device": disk["device"],
                "disk_pid": disk["pid"],
                "port": SERVICE_PORTS[guest],
            }
        if envelope["disk"]["kind"] == "blkio":
            groups.limit_disk("servers", disks.device_under(folder), envelope["disk"]["limits"])
        for guest in guests:
            start_guest(guest, found["guests"][guest], envelope, chosen, folder, things)
        deadline = time.monotonic() + limit_s
        for guest in guests:
            wait_for_guest(guest, folder, deadline)
        for guest in guests:
            set_clock(guest)
        limit_cpu(server)
        pace_disks(found, True)
        found["boot_s"] = round(time.monotonic() - started, 1)
        UP.write_text(json.dumps(found, indent=1))
        say(f"server {server}: {', '.join(guests)} up in {found['boot_s']} s ({chosen})")
        return found
    except BaseException:
        down()
        raise


def limit_cpu(server: str, limited: bool = True) -> None:
    """Hold the guests to their envelope's share of the CPU, or give them whole CPUs for a while.

    Between experiments nobody measures them: settling and copying logs need not be slow."""
    envelope = paths.envelope(server)
    groups = Groups()
    quota = envelope["cpu_quota"] if limited else len(envelope["cpus"])
    groups.make("servers", groups.settings(envelope["cpus"], quota, envelope["cpu_period_us"]))


def load_cpu(envelope: dict) -> int:
    """The CPU of load generators, disks and collectors: one that is not the servers'."""
    others = sorted(os.sched_getaffinity(0) - set(envelope["cpus"]))
    if not others:
        raise TestbedError(
            "the servers would have every CPU of this machine; the load "
            "generators need one of their own (2 CPUs are enough)"
        )
    return others[0]


def is_real_time(pid: int) -> bool:
    """A paced disk with real-time priority stays where it is: a group would refuse it that."""
    try:
        return os.sched_getscheduler(pid) == os.SCHED_FIFO
    except OSError:
        return False


def switch_on_delay_accounting(things: Owned, pid: int) -> None:
    """iotop and the task counters need the kernel's delay accounting as long as process `pid` lives.

    Needed before a guest starts, or its threads have none; and for each QEMU itself, since this
    command may end while the guests stay up. The collectors count themselves in the same book.
    """
    things.add("delays", pid=pid)
    _, trouble = delay_accounting.delays.switch_on(pid)
    if trouble:
        say(trouble)


def start_guest(
    guest: str, found: dict, envelope: dict, accelerator: str, folder: Path, things: Owned
) -> None:
    """Start QEMU inside the servers' control group."""
    for name in ("console", "qmp", "pid"):
        (folder / f"{guest}.{name}").unlink(missing_ok=True)
    words = qemu.command(
        guest,
        memory_bytes=envelope["memory_bytes"][guest],
        accelerator=accelerator,
        disk=found["device"],
        folder=folder,
        kernel=image_build.kernel(guest),
        initrd=image_build.initrd(guest),
    )
    with (folder / f"{guest}.qemu.log").open("wb") as log:
        process = subprocess.Popen(
            entering("servers", words),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )
    things.add_process(process.pid, f"QEMU of {guest}")
    switch_on_delay_accounting(things, process.pid)
    found["qemu_pid"] = process.pid
    time.sleep(0.3)
    if process.poll() is not None:
        said = (folder / f"{guest}.qemu.log").read_text(errors="replace").strip()
        raise TestbedError(f"QEMU of {guest} ended at once: {said[-500:]}")
    ports = {SSH_PORTS[guest], SERVICE_PORTS[guest]}
    for _ in range(100):
        if listen_backlog.widen(process.pid, ports) == ports:
            return
        time.sleep(0.1)
    raise TestbedError(f"QEMU of {guest} does not listen on its ports")


def wait_for_guest(guest: str, folder: Path, deadline: float) -> None:
    """Wait until ssh and the service answer."""
    checks = (
        (f"ssh of {guest}", SSH_PORTS[guest], greets),
        (f"service of {guest}", SERVICE_PORTS[guest], serves_page if guest == "web" else greets),
    )
    for what, port, check in checks:
        while not check(port):
            if time.monotonic() > deadline:
                console = (folder / f"{guest}.console").read_text(errors="replace")[-800:]
                raise TestbedError(f"{what} did not answer in time; the console's end:\n{console}")
            time.sleep(0.3)


def greets(port: int) -> bool:
    """Does the server say something when one connects (ssh, MariaDB)?"""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as link:
            link.settimeout(5)
            return bool(link.recv(1))
    except OSError:
        return False


def serves_page(port: int) -> bool:
    """Does the web server answer?"""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request("GET", "/")
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def set_clock(guest: str) -> None:
    """A guest reads its clock from a chip that knows whole seconds: set it from the host's."""
    process = subprocess.Popen(
        [*ssh_command(guest), f'python3 -c "{SET_CLOCK}"'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        process.stdout.readline()
        process.communicate(f"{time.time():.6f}\n", timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    if process.returncode:
        raise TestbedError(f"{guest}: its clock could not be set")


def pace_disks(found: dict, paced: bool) -> None:
    """Switch all paced disks."""
    for guest in found["guests"].values():
        if guest["disk_pid"]:
            disks.pace(guest["disk_pid"], paced)


def drop_caches(guest: str) -> None:
    """Each run begins with an empty page cache."""
    ssh(guest, "sync; echo 3 > /proc/sys/vm/drop_caches")


def is_up() -> dict | None:
    """What up() found, if that server is still there."""
    if UP.exists() and Owned(RUNNING).items:
        return json.loads(UP.read_text())
    return None


def down() -> list[str]:
    """Take down what was put up; returns what could not be."""
    failures = Owned(RUNNING).take_down()
    UP.unlink(missing_ok=True)
    for file in (STATE / "servers").glob("*/*.img"):
        if not failures:
            file.unlink()
    for failure in failures:
        say(f"not taken down: {failure}")
    return failures
