"""Start and stop a server: its control groups, disks and guests."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from . import TestbedError, delay_accounting, disks, image_build, listen_backlog, qemu
from .cgroups import ControlGroups
from .cleanup import CleanupList, read_boot_id
from .console import print_status
from .guests import SSH_PORTS, get_image, get_service_port, get_ssh_port
from .paths import STATE
from .qemu import Hardware

SSH_CONFIG = STATE / "ssh" / "config"
CLEANUP_LIST = STATE / "running.json"
KVM_PROBE = STATE / "images" / "kvm_probe.json"

ENTER_GROUPS = """for file; do
  shift
  [ "$file" = -- ] && break
  echo $$ > "$file" || exit 1
done
exec "$@"
"""
"""For sh -c: enter the groups given before `--`, then execute the command after it."""

SET_CLOCK = (  # "ready" first: the time is sent when the interpreter has started
    "import sys,time;print('ready',flush=True);"
    "time.clock_settime(time.CLOCK_REALTIME,float(sys.stdin.readline()))"
)


def wrap_in_group(group: str, command: list[str]) -> list[str]:
    """Wrap a command so that it starts inside a control group (`servers` or `loads`)."""
    files = [str(path / "cgroup.procs") for path in ControlGroups().list_folders(group)]
    return ["sh", "-c", ENTER_GROUPS, "sh", *files, "--", *command]


class TestbedLock:
    """A lock that lets only one testbed command run at a time."""

    def __enter__(self) -> TestbedLock:
        STATE.mkdir(parents=True, exist_ok=True)
        self.file = (STATE / "lock").open("w")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TestbedError("another testbed command is running on this machine") from None
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def write_ssh_config(guests: Iterable[str]) -> None:
    """Write the configuration for `ssh -F …/config web`: no prompts, the image's host key checked."""
    hosts = [
        f"""Host {guest}
  HostName 127.0.0.1
  Port {get_ssh_port(guest)}
  User root
  IdentityFile {image_build.get_ssh_key_path()}
  IdentitiesOnly yes
  HostKeyAlias [127.0.0.1]:{SSH_PORTS[get_image(guest)]}
  UserKnownHostsFile {image_build.get_known_hosts_path()}
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 60
  ServerAliveInterval 30
  LogLevel ERROR
"""
        for guest in guests
    ]
    SSH_CONFIG.parent.mkdir(parents=True, exist_ok=True)
    SSH_CONFIG.write_text("".join(hosts))


def build_ssh_command(guest: str) -> list[str]:
    """Build the command that opens a shell on a guest."""
    return ["ssh", "-F", str(SSH_CONFIG), guest]


def run_in_guest(guest: str, command: str, limit_s: float = 120.0) -> str:
    """Run a shell command in a guest; return its standard output."""
    try:
        process = subprocess.run(
            [*build_ssh_command(guest), command],
            capture_output=True,
            text=True,
            timeout=limit_s,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise TestbedError(f"{guest}: {command!r} did not end within {limit_s:.0f} s") from None
    if process.returncode:
        raise TestbedError(f"{guest}: {command!r} failed: {process.stderr.strip()}")
    return process.stdout


def choose_accelerator(requested: str = "auto") -> str:
    """Return `kvm` or `tcg`; for `auto`, test once per boot whether a guest boots on KVM."""
    if requested in ("kvm", "tcg"):
        return requested
    boot_id = read_boot_id()
    if KVM_PROBE.exists():
        probe = json.loads(KVM_PROBE.read_text())
        if probe.get("boot_id") == boot_id:
            return probe["accelerator"]
    works, reason = qemu.probe_kvm(
        image_build.get_kernel_path("web"), image_build.get_initrd_path("web")
    )
    accelerator = "kvm" if works else "tcg"
    print_status(f"accelerator: {accelerator} ({reason})")
    KVM_PROBE.write_text(
        json.dumps({"boot_id": boot_id, "accelerator": accelerator, "why": reason})
    )
    return accelerator


def start_server(
    server: str,
    resources: dict,
    hardware: dict[str, Hardware],
    *,
    accelerator: str = "auto",
    limit_s: float = 300.0,
) -> dict:
    """Start a server and its guests.

    Parameters
    ----------
    resources : dict
        `cpus`, `cpu_quota`, `cpu_period_us` and `disk` of the server.
    hardware : dict
        The guests to start, with the hardware of each.

    Returns
    -------
    dict
        The running server: `server`, `resources`, `accelerator`, `boot_s`, and for each of its `guests` `device`,
        `virtual_disk`, `disk_pid`, `port` and `qemu_pid`.
    """
    guests = tuple(hardware)
    cleanup = CleanupList(CLEANUP_LIST)
    if cleanup.items:
        stop_server()
        cleanup = CleanupList(CLEANUP_LIST)
    for guest in guests:
        if not image_build.is_built(get_image(guest)):
            raise TestbedError(
                f"the image of {get_image(guest)} is not built; run `testbed.py build`"
            )
    accelerator = choose_accelerator(accelerator)
    folder = STATE / "servers" / server
    folder.mkdir(parents=True, exist_ok=True)
    write_ssh_config(guests)
    started = time.monotonic()
    try:
        enable_delay_accounting(cleanup, os.getpid())
        groups = ControlGroups()
        cleanup.add("cgroups")
        # while booting on less than a CPU, kernels misread their timers
        switch_cpu_quota(resources, on=False)
        load_cpu = choose_load_cpu(resources)
        groups.create("loads", groups.format_cpu_settings([load_cpu], 1.0, 100000))
        running: dict = {
            "server": server,
            "resources": resources,
            "accelerator": accelerator,
            "guests": {},
        }
        for guest in guests:
            disks.copy_image(guest, folder)
            disk = disks.attach_disk(guest, folder, resources["disk"], cleanup)
            if disk["pid"]:
                os.sched_setaffinity(disk["pid"], {load_cpu})
                if not has_realtime_priority(disk["pid"]):
                    groups.add_process("loads", disk["pid"])
            running["guests"][guest] = {
                "device": disk["device"],
                "virtual_disk": hardware[guest].virtual_disk,
                "disk_pid": disk["pid"],
                "port": get_service_port(guest),
            }
        if resources["disk"]["kind"] == "blkio":
            device = disks.find_block_device(folder)
            groups.limit_disk("servers", device, resources["disk"]["limits"])
        for guest in guests:
            start_guest(
                guest, running["guests"][guest], hardware[guest], accelerator, folder, cleanup
            )
        deadline = time.monotonic() + limit_s
        for guest in guests:
            wait_for_guest(guest, folder, deadline)
        for guest in guests:
            set_guest_clock(guest)
        switch_limits(running, on=True)
        running["boot_s"] = round(time.monotonic() - started, 1)
        print_status(
            f"server {server}: {', '.join(guests)} up in {running['boot_s']} s ({accelerator})"
        )
        return running
    except BaseException:
        stop_server()
        raise


def switch_cpu_quota(resources: dict, on: bool) -> None:
    """Limit the guests to their server's CPUs and quota, or give them all CPUs of this machine.

    Outside the measurement there is no need for the limits: starting and resetting guests and copying logs is faster
    without them.
    """
    cpus = resources["cpus"] if on else sorted(os.sched_getaffinity(0))
    quota = resources["cpu_quota"] if on else len(cpus)
    groups = ControlGroups()
    groups.create("servers", groups.format_cpu_settings(cpus, quota, resources["cpu_period_us"]))


def switch_limits(running: dict, on: bool) -> None:
    """Limit the CPU time of a running server's guests and delay their disks' replies, or neither."""
    switch_cpu_quota(running["resources"], on)
    for guest in running["guests"].values():
        if guest["disk_pid"]:
            disks.switch_delays(guest["disk_pid"], on)


def choose_load_cpu(resources: dict) -> int:
    """Return the CPU of load generators, disks and collectors: the first that is not the server's."""
    cpus = sorted(os.sched_getaffinity(0) - set(resources["cpus"]))
    if not cpus:
        raise TestbedError(
            "the server uses all CPUs of this machine; the load generators need another one "
            "(2 CPUs are enough)"
        )
    return cpus[0]


def has_realtime_priority(pid: int) -> bool:
    """Whether a process has real-time priority. Such a paced disk is not moved: its group would not allow that."""
    try:
        return os.sched_getscheduler(pid) == os.SCHED_FIFO
    except OSError:
        return False


def enable_delay_accounting(cleanup: CleanupList, pid: int) -> None:
    """Enable the kernel's delay accounting, which iotop and the task counters need, while process ``pid`` lives.

    It must be on before a guest starts, else the guest's threads have none. It is registered for each QEMU process
    too, because this command may end while the guests keep running.
    """
    cleanup.add("delay_accounting", pid=pid)
    _, warning = delay_accounting.agent.switch_on(pid)
    if warning:
        print_status(warning)


def start_guest(
    guest: str,
    running_guest: dict,
    hardware: Hardware,
    accelerator: str,
    folder: Path,
    cleanup: CleanupList,
) -> None:
    """Start QEMU in the servers' control group, and add its process number to ``running_guest``."""
    for name in ("console", "qmp", "pid"):
        (folder / f"{guest}.{name}").unlink(missing_ok=True)
    command = qemu.build_command(
        guest,
        hardware,
        accelerator=accelerator,
        disk=running_guest["device"],
        folder=folder,
        kernel=image_build.get_kernel_path(get_image(guest)),
        initrd=image_build.get_initrd_path(get_image(guest)),
    )
    log_file = folder / f"{guest}.qemu.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            wrap_in_group("servers", command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )
    cleanup.add_process(process.pid, f"QEMU of {guest}")
    enable_delay_accounting(cleanup, process.pid)
    running_guest["qemu_pid"] = process.pid
    time.sleep(0.3)
    if process.poll() is not None:
        output = log_file.read_text(errors="replace").strip()
        raise TestbedError(f"QEMU of {guest} ended at its start: {output[-500:]}")
    ports = {get_ssh_port(guest), get_service_port(guest)}
    for _ in range(100):
        if listen_backlog.set_backlog(process.pid, ports) == ports:
            return
        time.sleep(0.1)
    raise TestbedError(f"QEMU of {guest} does not listen on ports {sorted(ports)} after 10 s")


def wait_for_guest(guest: str, folder: Path, deadline: float) -> None:
    """Wait until ssh and the service of a guest respond."""
    checks = (
        (f"ssh of {guest}", get_ssh_port(guest), is_sending),
        (
            f"service of {guest}",
            get_service_port(guest),
            is_serving_http if get_image(guest) == "web" else is_sending,
        ),
    )
    for name, port, is_ready in checks:
        while not is_ready(port):
            if time.monotonic() > deadline:
                console = (folder / f"{guest}.console").read_text(errors="replace")[-800:]
                raise TestbedError(
                    f"{name} did not respond in time; end of the console:\n{console}"
                )
            time.sleep(0.3)


def is_sending(port: int) -> bool:
    """Whether a server sends data when a client connects, as ssh and MariaDB do."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.settimeout(5)
            return bool(connection.recv(1))
    except OSError:
        return False


def is_serving_http(port: int) -> bool:
    """Whether a web server responds with status 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def set_guest_clock(guest: str) -> None:
    """Set a guest's clock from the host's: at its start it was set from a clock chip, to whole seconds."""
    process = subprocess.Popen(
        [*build_ssh_command(guest), f'python3 -c "{SET_CLOCK}"'],
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
        raise TestbedError(f"{guest}: its clock could not be set (exit code {process.returncode})")


def stop_server() -> list[str]:
    """Take down all that was started; return a message for each item that could not be."""
    failures = CleanupList(CLEANUP_LIST).undo_all()
    for file in (STATE / "servers").glob("*/*.img"):
        if not failures:
            file.unlink()
    for failure in failures:
        print_status(f"not taken down: {failure}")
    return failures
