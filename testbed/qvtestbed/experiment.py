"""Record one run on a running server: reset the guests, write the recorder's plan, call the recorder."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from . import TestbedError, disks, image_content, memory_latency, server_lifecycle
from .console import print_status
from .guests import DATABASE_ROWS, DOCUMENTS, NAME, get_image, get_service_port
from .idle_cpu import BASELINE_LINE, IdleCpuMonitor
from .paths import COLLECTORS, STATE
from .runs import DatabaseLoad, Run, WebLoad

COPY_LINE = "fetching the logs"
"""How the recorder's progress line begins after the measurement, when it copies the logs."""
GUEST_PROCESS = re.compile(f"guest={NAME.pattern}[, ]")
"""What the command lines of the guests' QEMU processes contain."""
# by image
SERVER_PROCESSES = {"web": "^apache2$", "db": "^(mariadbd|mysqld)$"}
LOGS = {
    "web": {"access.log": "/var/log/apache2/access.log"},
    "db": {"general.log": "/var/log/mysql/general.log"},
}
RESET_SCRIPTS = {
    # else pages that the last run left dirty would be written during this run's idle baseline
    "db": """set -e
: > /var/log/mysql/general.log
mariadb -e 'SET GLOBAL general_log=0; SET GLOBAL innodb_max_dirty_pages_pct=0'
for i in $(seq 60); do
  dirty=$(mariadb -NBe "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'" | cut -f2)
  purge=$(mariadb -NBe "SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'" | cut -f2)
  [ "$dirty" -lt 20 ] && [ "$purge" -lt 20 ] && break
  sleep 1
done
mariadb -e 'SET GLOBAL innodb_max_dirty_pages_pct=90; SET GLOBAL general_log=1'
sync; echo 3 > /proc/sys/vm/drop_caches
echo "dirty $dirty history $purge"
""",
    "web": "set -e\n: > /var/log/apache2/access.log\nsync; echo 3 > /proc/sys/vm/drop_caches\n",
}


class NotIdleError(TestbedError):
    """The idle guests use more CPU time than the plan allows; nothing was recorded."""


def write_uri_list(run: Run, guest: str, n_requests: int) -> Path:
    """Write httperf's list of documents for a guest, drawn uniformly with its seed; return the list's path."""
    path = STATE / "loads" / f"{run.server}-{run.name}-{guest}.wlog"
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = random.Random(run.compute_seed(guest))
    path.write_bytes(
        b"".join(
            image_content.format_document_path(generator.randrange(DOCUMENTS)).encode() + b"\0"
            for _ in range(n_requests)
        )
    )
    return path


def build_httperf_command(load: WebLoad, guest: str, seconds: int, uris: Path) -> list[str]:
    """Build the command of the web load."""
    arrivals = (
        ["--rate", str(load.rate)]
        if load.arrivals == "even"
        else [f"--period=e{1 / load.rate:.6g}"]
    )
    return [
        "httperf",
        "--hog",
        "--timeout",
        "10",
        "--num-conns",
        str(load.rate * seconds),
        "--num-calls",
        "1",
        *arrivals,
        "--server",
        "127.0.0.1",
        "--port",
        str(get_service_port(guest)),
        f"--wlog=y,{uris}",
    ]


def build_sysbench_command(load: DatabaseLoad, guest: str, seconds: int, seed: int) -> list[str]:
    """Build the command of the database load."""
    return [
        "sysbench",
        "oltp_read_write",
        "--db-driver=mysql",
        "--mysql-host=127.0.0.1",
        f"--mysql-port={get_service_port(guest)}",
        "--mysql-user=sbtest",
        "--mysql-password=sbtest",
        "--mysql-db=sbtest",
        "--tables=1",
        f"--table-size={DATABASE_ROWS}",
        "--rand-type=uniform",
        f"--rand-seed={seed}",
        f"--threads={load.threads}",
        f"--time={seconds}",
        "--report-interval=1",
        "--percentile=95",
        "--histogram",
        "run",
    ]


def build_recorder_plan(
    study: str, run: Run, running: dict, before_s: float, after_s: float
) -> dict:
    """Build the plan file of the recorder, collectors/client/record_experiment.py."""
    devices = "|".join(
        guest["device"].removeprefix("/dev/") for guest in running["guests"].values()
    )
    roles: dict = {
        "host": {
            "via": "local",
            "hostname": "host",
            "only": GUEST_PROCESS.pattern,
            "devices": f"^({devices})$",
        }
    }
    servers: dict = {}
    loads: dict = {}
    for name, guest in running["guests"].items():
        roles[name] = {
            "via": "ssh",
            "destination": name,
            "ssh_options": ["-F", str(server_lifecycle.SSH_CONFIG)],
            "hostname": name,
            "tasks": SERVER_PROCESSES[get_image(name)],
            "logs": LOGS[get_image(name)],
        }
        servers[name] = {
            "role": name,
            "server_processes": SERVER_PROCESSES[get_image(name)],
            "qemu_process": f"guest={name}[, ]",
            "virtual_disk": guest["virtual_disk"],
            "host_disk": guest["device"].removeprefix("/dev/"),
        }
    for name, load in run.loads.items():
        if isinstance(load, WebLoad):
            uris = write_uri_list(run, name, load.rate * run.seconds)
            command = build_httperf_command(load, name, run.seconds, uris)
            request, tool = "HTTP request", "httperf"
        else:
            command = build_sysbench_command(load, name, run.seconds, run.compute_seed(name))
            request, tool = "transaction", "sysbench"
        log = f"{tool}.log" if name == get_image(name) else f"{tool}-{name}.log"
        servers[name]["workload"] = {**load.to_json(), "request": request}
        loads[name] = {"command": command, "log": log, "timeout_s": 3 * run.seconds + 60}
    return {
        "study": study,
        "server": run.server,
        "run": run.name,
        "accelerator": running["accelerator"],
        "interval_s": 1,
        "before_s": before_s,
        "after_s": after_s,
        "roles": roles,
        "virtual_servers": servers,
        "loads": loads,
        "client": {"hostname": "client"},
        "notes": [],
    }


def warm_up(running: dict, seconds: int = 20) -> None:
    """Run some load on all guests that is not recorded, without limits of CPU and disks.

    An emulator translates code when the guest first runs it, so that the first seconds after a start are not
    representative.
    """
    server_lifecycle.switch_limits(running, on=False)
    run = Run(running["server"], "warm-up", "warm-up", seconds, {})
    commands = []
    for guest in running["guests"]:
        if get_image(guest) == "web":
            load = WebLoad(20, "even")
            uris = write_uri_list(run, guest, load.rate * seconds)
            commands.append(build_httperf_command(load, guest, seconds, uris))
        else:
            commands.append(build_sysbench_command(DatabaseLoad(8), guest, seconds, 1))
    processes = [
        subprocess.Popen(
            server_lifecycle.wrap_in_group("loads", command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    deadline = time.monotonic() + 10 * seconds + 60
    try:
        for process in processes:
            process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TestbedError(f"the warm-up did not end within {10 * seconds + 60} s") from None
    finally:
        for process in processes:
            process.kill()
            process.wait()


def reset_guests(running: dict) -> None:
    """Bring the guests into the same state before each run: no dirty pages, empty caches, empty logs.

    The host's page cache holds blocks of a guest's disk if the disk's cache mode is writeback.
    """
    with ThreadPoolExecutor() as pool:
        outputs = pool.map(
            lambda guest: server_lifecycle.run_in_guest(
                guest, RESET_SCRIPTS[get_image(guest)], limit_s=180
            ),
            running["guests"],
        )
        for guest, output in zip(running["guests"], outputs, strict=True):
            if output.strip():
                print_status(f"{guest}: {output.strip()}")
    for state in running["guests"].values():
        disks.drop_cached_blocks(state["device"])


def run_in_loads_group(
    command: list[str],
    timeout: float | None = None,
    on_line: Callable[[str], bool] | None = None,
    **options,
) -> int:
    """Run a command in the load generators' control group; return its exit code.

    The command is ended if this process is interrupted. ``on_line`` is called with each line of the command's
    standard error, which is also printed; if it returns True, the command is ended.
    """
    process = subprocess.Popen(
        server_lifecycle.wrap_in_group("loads", command),
        stdin=subprocess.DEVNULL,
        **({"stderr": subprocess.PIPE, "text": True} if on_line else {}),
        **options,
    )
    if on_line:
        arguments = (process.stderr, on_line, process.terminate)
        threading.Thread(target=relay_lines, args=arguments, daemon=True).start()
    try:
        return process.wait(timeout)
    except BaseException as reason:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if isinstance(reason, subprocess.TimeoutExpired):
            raise TestbedError(f"{command[0]} did not end within {timeout:.0f} s") from None
        raise


@contextmanager
def logging_memory_latency(log: Path) -> Iterator[None]:
    """Log the memory latency once per second while the block runs."""
    log.unlink(missing_ok=True)
    command = [sys.executable, "-B", memory_latency.__file__, str(log)]
    process = subprocess.Popen(
        server_lifecycle.wrap_in_group("loads", command), stdin=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def relay_lines(stream: IO[str], on_line: Callable[[str], bool], end: Callable[[], None]) -> None:
    """Copy lines to standard error and pass each to ``on_line``; call ``end`` once if that returns True."""
    has_ended = False
    for line in stream:
        sys.stderr.write(line)
        sys.stderr.flush()
        if on_line(line) and not has_ended:
            has_ended = True
            end()


def make_limits_switch(running: dict) -> Callable[[str], bool]:
    """Make an ``on_line`` function that switches the limits of CPU and disks by the recorder's progress lines.

    They are on from the start of the idle baseline to the end of the measurement, and off while collectors are
    started or logs copied.
    """
    is_on = False

    def process_line(line: str) -> bool:
        nonlocal is_on
        if line.startswith(BASELINE_LINE) and not is_on:
            is_on = True
            server_lifecycle.switch_limits(running, on=True)
        elif line.startswith(COPY_LINE):
            server_lifecycle.switch_limits(running, on=False)
        return False

    return process_line


def drop_other_processes(text: str) -> tuple[str, int]:
    """Drop the lines of other processes from the host's iotop.log; keep sentinels, headers and the guests' rows.

    The collector's `only` drops the rows of other processes. If the command line of such a process contains line
    breaks, the lines after the first remain, and are dropped here.

    Returns
    -------
    tuple of (str, int)
        The remaining text, and the number of lines dropped.
    """
    kept, dropped = [], 0
    for line in text.splitlines(keepends=True):
        fields = line.split()
        if (
            not fields
            or line.startswith("#")
            or "DISK READ" in line
            or (fields[0].isdigit() and GUEST_PROCESS.search(line))
        ):
            kept.append(line)
        else:
            dropped += 1
    return "".join(kept), dropped


def filter_iotop_log(out: Path) -> None:
    """Remove the lines of this machine's other processes from a recorded run."""
    path = out / "host" / "iotop.log.zst"
    if not path.exists():
        return
    text = subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout
    kept, dropped = drop_other_processes(text.decode("utf-8", "surrogateescape"))
    if not dropped:
        return
    partial = path.with_name(".iotop.partial")
    partial.write_bytes(
        subprocess.run(
            ["zstd", "-19", "-cq"],
            check=True,
            capture_output=True,
            input=kept.encode("utf-8", "surrogateescape"),
        ).stdout
    )
    partial.rename(path)
    note = f"host/iotop.log: removed {dropped} lines of other processes' command lines"
    add_note(out, note, changed=path)


def add_note(out: Path, text: str, changed: Path | None = None) -> None:
    """Append a note to run.json, with the new checksum of a log that was ``changed``."""
    manifest = json.loads((out / "run.json").read_text())
    manifest["notes"].append(text)
    if changed is not None:
        digest = hashlib.sha256(changed.read_bytes()).hexdigest()
        manifest["sha256"][changed.relative_to(out).as_posix()] = digest
    partial = out / ".run.partial"
    partial.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    partial.rename(out / "run.json")


def record_run(
    study: str,
    run: Run,
    running: dict,
    raw: Path,
    before_s: float,
    after_s: float,
    max_idle_cpus: float | None = None,
) -> bool:
    """Record one run; True if the recorder gave no warning.

    Raises
    ------
    NotIdleError
        If the guests use ``max_idle_cpus`` or more during the idle baseline. Nothing is kept of the run.
    TestbedError
        If the run could not be recorded.
    """
    server_lifecycle.switch_limits(running, on=False)
    reset_guests(running)
    files = STATE / "loads"
    plan_file = files / f"{run.server}-{run.name}.plan.json"
    plan_file.write_text(
        json.dumps(build_recorder_plan(study, run, running, before_s, after_s), indent=1)
    )
    out = raw / study / run.server / run.name
    out.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    temporary = STATE / "tmp"  # not /tmp, which other programs clean up
    temporary.mkdir(exist_ok=True)
    interpreter = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
    latency_log = files / f"{run.server}-{run.name}.latency"
    pids = [guest["qemu_pid"] for guest in running["guests"].values()]
    idle = IdleCpuMonitor(pids, float("inf") if max_idle_cpus is None else max_idle_cpus)
    switch_limits = make_limits_switch(running)
    recorder = str(COLLECTORS / "client" / "record_experiment.py")
    with logging_memory_latency(latency_log):
        code = run_in_loads_group(
            [interpreter, "-B", recorder, str(plan_file), "--out", str(out), "--discard"],
            timeout=before_s + 4 * run.seconds + 900,
            on_line=lambda line: switch_limits(line) or idle.process_line(line),
            env={**os.environ, "TMPDIR": str(temporary)},
        )
    if not out.is_dir():
        if idle.is_too_high:
            raise NotIdleError(
                f"the idle guests use {idle.cpus:.2f} CPUs, limit {max_idle_cpus:g} CPUs"
            )
        raise TestbedError(f"{run.path} was not recorded (recorder: exit code {code})")
    filter_iotop_log(out)
    window = json.loads((out / "run.json").read_text())["window"]
    log_text = latency_log.read_text() if latency_log.exists() else ""
    summary = memory_latency.summarize_log(log_text, window)
    if summary:
        add_note(out, summary)
        print_status(summary)
    print_status(
        f"{run.path}: recorded in {time.monotonic() - started:.0f} s"
        + ("" if code == 0 else f", with warnings (recorder: exit code {code})")
    )
    return code == 0
