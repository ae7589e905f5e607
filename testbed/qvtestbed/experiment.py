"""One experiment on a server that is up: settle, write the plan, call the recorder."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from . import idle_cpu, image_content, memory_latency, paths, server_lifecycle
from .console import say
from .paths import COLLECTORS, STATE, TestbedError
from .plan import DatabaseLoad, Run, WebLoad

PROCESSES = {"web": "^apache2$", "db": "^(mariadbd|mysqld)$"}
LOGS = {
    "web": {"access.log": "/var/log/apache2/access.log"},
    "db": {"general.log": "/var/log/mysql/general.log"},
}
SETTLE = {
    # the pages that the last run left dirty would be written in this run's before-state
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


class NotQuietError(TestbedError):
    """The machine is too slow just now for what is to be recorded."""


def uri_list(run: Run, count: int) -> Path:
    """httperf's list of documents: drawn uniformly, with the run's own seed."""
    path = STATE / "loads" / f"{run.server}-{run.name}.wlog"
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = random.Random(run.seed)
    path.write_bytes(
        b"".join(
            image_content.document(draw.randrange(paths.DOCUMENTS)).encode() + b"\0"
            for _ in range(count)
        )
    )
    return path


def httperf(load: WebLoad, seconds: int, uris: Path) -> list[str]:
    """The web load's command."""
    pace = (
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
        *pace,
        "--server",
        "127.0.0.1",
        "--port",
        str(paths.SERVICE_PORTS["web"]),
        f"--wlog=y,{uris}",
    ]


def sysbench(load: DatabaseLoad, seconds: int, seed: int) -> list[str]:
    """The database load's command."""
    return [
        "sysbench",
        "oltp_read_write",
        "--db-driver=mysql",
        "--mysql-host=127.0.0.1",
        f"--mysql-port={paths.SERVICE_PORTS['db']}",
        "--mysql-user=sbtest",
        "--mysql-password=sbtest",
        "--mysql-db=sbtest",
        "--tables=1",
        f"--table-size={paths.DATABASE_ROWS}",
        "--rand-type=uniform",
        f"--rand-seed={seed}",
        f"--threads={load.threads}",
        f"--time={seconds}",
        "--report-interval=1",
        "--percentile=95",
        "--histogram",
        "run",
    ]


def recorder_plan(
    study: str, run: Run, found: dict, before_s: float, after_s: float, notes: list[str]
) -> dict:
    """The plan that collectors/client/record_experiment.py takes."""
    devices = "|".join(guest["device"].removeprefix("/dev/") for guest in found["guests"].values())
    roles: dict = {
        "host": {
            "via": "local",
            "hostname": "host",
            "only": "guest=(web|db)[, ]",
            "devices": f"^({devices})$",
        }
    }
    servers: dict = {}
    loads: dict = {}
    for name, guest in found["guests"].items():
        roles[name] = {
            "via": "ssh",
            "destination": name,
            "ssh_options": ["-F", str(server_lifecycle.SSH_CONFIG)],
            "hostname": name,
            "tasks": PROCESSES[name],
            "logs": LOGS[name],
        }
        servers[name] = {
            "role": name,
            "server_processes": PROCESSES[name],
            "qemu_process": f"guest={name}[, ]",
            "virtual_disk": "vda",
            "host_disk": guest["device"].removeprefix("/dev/"),
        }
    for name, load in run.loads.items():
        if isinstance(load, WebLoad):
            command = httperf(load, run.seconds, uri_list(run, load.rate * run.seconds))
            request, log = "HTTP request", "httperf.log"
        else:
            command = sysbench(load, run.seconds, run.seed)
            request, log = "transaction", "sysbench.log"
        servers[name]["workload"] = {**load.as_json(), "request": request}
        loads[name] = {"command": command, "log": log, "timeout_s": 3 * run.seconds + 60}
    return {
        "study": study,
        "server": run.server,
        "run": run.name,
        "accelerator": found["accelerator"],
        "interval_s": 1,
        "before_s": before_s,
        "after_s": after_s,
        "roles": roles,
        "virtual_servers": servers,
        "loads": loads,
        "client": {"hostname": "client"},
        "notes": notes,
    }


def warm_up(found: dict, seconds: int = 20) -> None:
    """Some load that is not recorded: an emulator translates the guest's code when it is first
    run, and the first seconds after a start say nothing about the rest."""
    run = Run(found["server"], "warm-up", "warm-up", seconds, {})
    commands = []
    if "web" in found["guests"]:
        commands.append(httperf(WebLoad(20, "even"), seconds, uri_list(run, 20 * seconds)))
    if "db" in found["guests"]:
        commands.append(sysbench(DatabaseLoad(8), seconds, 1))
    for command in commands:
        in_loads_group(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10 * seconds + 60
        )


def settle(found: dict) -> None:
    """The same state at each run's start: no dirty pages, empty caches, empty logs."""
    for guest in found["guests"]:
        said = server_lifecycle.ssh(guest, SETTLE[guest], limit_s=180).strip()
        if said:
            say(f"{guest}: {said}")


def in_loads_group(
    command: list[str],
    timeout: float | None = None,
    watch: Callable[[str], bool] | None = None,
    **options,
) -> int:
    """Run a command in the load generators' control group; interrupted, it is ended first.

    `watch` is told each line of the command's standard error, which goes on to ours, and may say
    that the command is to be ended."""
    process = subprocess.Popen(
        server_lifecycle.entering("loads", command),
        stdin=subprocess.DEVNULL,
        **({"stderr": subprocess.PIPE, "text": True} if watch else {}),
        **options,
    )
    if watch:
        lines = (process.stderr, watch, process.terminate)
        threading.Thread(target=relay, args=lines, daemon=True).start()
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
def walking_the_cache(log: Path) -> Iterator[None]:
    """Meanwhile, measure once a second how much of the processor's last cache is left to this machine."""
    log.unlink(missing_ok=True)
    command = [sys.executable, "-B", memory_latency.__file__, str(log)]
    walker = subprocess.Popen(server_lifecycle.entering("loads", command), stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        walker.terminate()
        walker.wait()


def relay(stream: IO[str], watch: Callable[[str], bool], end: Callable[[], None]) -> None:
    """Pass lines on to our standard error, and tell each to `watch`; `end` once it says so."""
    ended = False
    for line in stream:
        sys.stderr.write(line)
        sys.stderr.flush()
        if watch(line) and not ended:
            ended = True
            end()


def cpu_by_phase(server_name: str) -> Callable[[str], bool]:
    """What to do at the recorder's words: the quota holds from the before-state to the end of
    the after-state, and not while collectors are started or logs copied."""
    limited = False

    def heard(line: str) -> bool:
        nonlocal limited
        if line.startswith("before-state") and not limited:
            limited = True
            server_lifecycle.limit_cpu(server_name)
        elif line.startswith("bringing the logs home"):
            server_lifecycle.limit_cpu(server_name, limited=False)
        return False

    return heard


def drop_foreign_lines(text: str, ours: re.Pattern) -> tuple[str, int]:
    """Of the host's iotop.log, keep sentinels, headers and the rows of our processes.

    The collector's `only` drops the rows of other processes; where such a process has a command
    line of several lines, what follows the first is dropped here. Returns the text and how many
    lines were dropped."""
    kept, dropped = [], 0
    for line in text.splitlines(keepends=True):
        words = line.split()
        if (
            not words
            or line.startswith("#")
            or "DISK READ" in line
            or (words[0].isdigit() and ours.search(line))
        ):
            kept.append(line)
        else:
            dropped += 1
    return "".join(kept), dropped


def keep_only_ours(out: Path) -> None:
    """Nothing of another process of this machine stays in a recorded run."""
    path = out / "host" / "iotop.log.zst"
    if not path.exists():
        return
    text = subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout
    clean, dropped = drop_foreign_lines(
        text.decode("utf-8", "surrogateescape"), re.compile("guest=(web|db)[, ]")
    )
    if not dropped:
        return
    partial = path.with_name(".iotop.partial")
    partial.write_bytes(
        subprocess.run(
            ["zstd", "-19", "-cq"],
            check=True,
            capture_output=True,
            input=clean.encode("utf-8", "surrogateescape"),
        ).stdout
    )
    partial.rename(path)
    add_note(out, f"host/iotop.log: {dropped} lines of other processes' command lines left out")


def add_note(out: Path, text: str) -> None:
    """One more of run.json's notes."""
    record = json.loads((out / "run.json").read_text())
    record["notes"].append(text)
    partial = out / ".run.partial"
    partial.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    partial.rename(out / "run.json")


def record(
    study: str,
    run: Run,
    found: dict,
    raw: Path,
    before_s: float,
    after_s: float,
    notes: list[str] | None = None,
    most_idle_cpus: float | None = None,
) -> bool:
    """Record one run; True if nothing went wrong on the way.

    ``NotQuietError``, with nothing kept, where the guests take ``most_idle_cpus`` or more in the before-state."""
    server_lifecycle.limit_cpu(run.server, limited=False)
    settle(found)
    plan = recorder_plan(study, run, found, before_s, after_s, notes or [])
    path = STATE / "loads" / f"{run.server}-{run.name}.plan.json"
    path.write_text(json.dumps(plan, indent=1))
    out = raw / study / run.server / run.name
    out.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    scratch = STATE / "tmp"  # not /tmp, which others tidy up
    scratch.mkdir(exist_ok=True)
    interpreter = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
    walks = STATE / "loads" / f"{run.server}-{run.name}.walks"
    pids = [guest["qemu_pid"] for guest in found["guests"].values()]
    before = idle_cpu.BeforeState(pids, float("inf") if most_idle_cpus is None else most_idle_cpus)
    quota = cpu_by_phase(run.server)
    recorder = str(COLLECTORS / "client" / "record_experiment.py")
    with walking_the_cache(walks):
        code = in_loads_group(
            [interpreter, "-B", recorder, str(path), "--out", str(out)],
            timeout=before_s + 4 * run.seconds + 900,
            watch=lambda line: quota(line) or before.heard(line),
            env={**os.environ, "TMPDIR": str(scratch)},
        )
    if not out.is_dir():
        if before.too_slow:
            raise NotQuietError(
                f"idle, the guests take {before.found_cpus:.2f} CPUs; less than {most_idle_cpus:g} is wanted"
            )
        raise TestbedError(f"{run.path} was not recorded (exit code {code})")
    keep_only_ours(out)
    window = json.loads((out / "run.json").read_text())["window"]
    walked = memory_latency.note(walks.read_text() if walks.exists() else "", window)
    if walked:
        add_note(out, walked)
        say(walked)
    say(
        f"{run.path}: recorded in {time.monotonic() - started:.0f} s"
        + ("" if code == 0 else f", with remarks (exit code {code})")
    )
    return code == 0
