"""A small study written by arithmetic, in the tools' own text: for tests of pages, not of numbers.

Two servers, two runs of the web server and one of the database on each, a sample per second. Everything is
deterministic. ``write`` takes the name that a server's process has, so that it can be a hostile one.
"""

from __future__ import annotations

import json
from pathlib import Path

STUDY = "small-study"
NS = 1_000_000_000
EPOCH_S = 1_795_384_800
BEFORE_S, LOAD_S = 10, 30
STEPS = 1 + BEFORE_S + 2 + LOAD_S + 3
LOAD_AT = BEFORE_S + 2
BOOT = {"host": "aaaa-1", "web": "bbbb-1", "db": "cccc-1", "client": "dddd-1"}
SLOWNESS = {"first": 1.0, "second": 2.5}
RUNS = {"web-005-a": "web", "db-16-a": "db", "web-005-h": "web"}
"""Run → virtual server with the load; the last is held out."""


def write(raw: Path, *, process: str = "apache2", study: str = STUDY) -> Path:
    """Write the study below ``raw``; its folder."""
    home = raw / study
    home.mkdir(parents=True)
    plan = {
        "format": "queuevisor-study/1",
        "study": study,
        "title": "A small study made for tests",
        "recorded": "2026-11-22",
        "servers": {
            name: {"title": f"the {name} server", "envelope": {"cpus": [0]}, "accelerator": "kvm"}
            for name in SLOWNESS
        },
        "virtual_servers": {
            "web": {"title": "web server", "software": "none"},
            "db": {"title": "database", "software": "none"},
        },
        "workloads": {"web": {"tool": "httperf"}, "db": {"tool": "sysbench"}},
        "runs": {
            name: {run: {"purpose": "case-study", "load": {}} for run in RUNS} for name in SLOWNESS
        },
        "case_study": {"web": "web-005-a", "db": "db-16-a"},
        "held_out": [f"{name}/web-005-h" for name in SLOWNESS],
    }
    (home / "study.json").write_text(json.dumps(plan, indent=1))
    for server, slow in SLOWNESS.items():
        for run, loaded in RUNS.items():
            _run(home / server / run, study, server, run, loaded, slow, process)
    return home


def _run(folder: Path, study: str, server: str, run: str, loaded: str, slow: float, process: str):
    load = {"start_ns": (EPOCH_S + LOAD_AT) * NS, "end_ns": (EPOCH_S + LOAD_AT + LOAD_S) * NS}
    web = {
        "kind": "open",
        "rate_per_s": 5.0,
        "arrivals": "even",
        "request": "HTTP request",
        "log": "client/httperf.log",
        **load,
    }
    db = {
        "kind": "closed",
        "population": 16,
        "think_time_s": 0.0,
        "request": "transaction",
        "log": "client/sysbench.log",
        **load,
    }
    name = {"web": process, "db": "mariadbd"}
    servers = {
        vs: {
            "role": vs,
            **({"workload": work} if vs == loaded else {}),
            "server_processes": f"^{name[vs]}$".replace("(", r"\(").replace(")", r"\)"),
            "qemu_process": f"guest={vs}[, ]",
            "virtual_disk": "vda",
            "host_disk": f"loop{number}",
        }
        for number, (vs, work) in enumerate((("web", web), ("db", db)), start=1)
    }
    manifest = {
        "format": "queuevisor-run/1",
        "study": study,
        "server": server,
        "run": run,
        "window": load,
        "before": {"start_ns": (EPOCH_S + 1) * NS, "end_ns": (EPOCH_S + 1 + BEFORE_S) * NS},
        "accelerator": "kvm",
        "roles": {
            role: {
                "hostname": role,
                "boot_id": BOOT[role],
                "clock_offset_ns": 0 if role == "client" else 250_000,
                "clock_uncertainty_ns": 100_000,
                "time_zone": "UTC",
                "tools": {"top": "procps-ng 4.0.2", "iotop": "iotop 0.6", "httperf": "0.9.0"},
            }
            for role in ("client", "host", "web", "db")
        },
        "virtual_servers": servers,
        "commands": {loaded: ["made", "for", "tests"]},
        "recorded_by": "a test",
        "notes": [],
    }
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(manifest, indent=1))
    for role in ("host", "web", "db"):
        busy = slow if role in ("host", loaded) else 0.0
        _machine(folder / role, role, loaded, busy, name)
    (folder / "client").mkdir()
    (folder / "client" / "facts.json").write_text(json.dumps(_facts("client")))
    if loaded == "web":
        (folder / "client" / "httperf.log").write_text(_httperf(slow))
        lines = [
            f'10.0.2.2 - - [{_stamp(second)}] "GET / HTTP/1.1" 200 1234'
            for second in range(LOAD_AT, LOAD_AT + LOAD_S)
            for _ in range(5)
        ]
        (folder / "web" / "access.log").write_text("\n".join(lines) + "\n")
    else:
        (folder / "client" / "sysbench.log").write_text(_sysbench(slow))


def _stamp(second: int) -> str:
    import datetime as dt

    at = dt.datetime.fromtimestamp(EPOCH_S + second, dt.UTC)
    return at.strftime("%d/%b/%Y:%H:%M:%S +0000")


def _facts(role: str) -> dict:
    return {
        "format": "queuevisor-facts/1",
        "role": role,
        "hostname": role,
        "boot_id": BOOT[role],
        "kernel": "6.1.0-41-cloud-amd64",
        "os": "Debian GNU/Linux 12 (bookworm)",
        "cpus": 1,
        "memory_bytes": 805306368,
        "clock_ticks_per_s": 100,
        "page_bytes": 4096,
        "time_zone": "UTC",
        "utc_offset_s": 0,
        "delay_accounting": True,
        "interval_s": 1.0,
    }


def _machine(folder: Path, role: str, loaded: str, busy: float, name: dict[str, str]) -> None:
    """Logs of one machine; ``busy`` scales what its load does (0: it idles)."""
    folder.mkdir()
    (folder / "facts.json").write_text(json.dumps(_facts(role)))
    logs: dict[str, list[str]] = {"top": [], "iotop": [], "block": [], "tasks": []}
    devices = ("loop1", "loop2") if role == "host" else ("vda",)
    for step in range(STEPS):
        worked = max(0, min(step - LOAD_AT, LOAD_S)) * busy
        for lines in logs.values():
            lines.append(f"#T {(EPOCH_S + step) * NS + 250_000} {step * NS} {step} {BOOT[role]}")
        under_load = LOAD_AT < step <= LOAD_AT + LOAD_S and busy > 0
        logs["top"] += _top(role, step, worked, loaded, name)
        logs["iotop"] += _iotop(role, step, busy if under_load else 0.0, loaded, name)
        for device in devices:
            mine = worked if role != "host" or device == _loop(loaded) else 0.0
            logs["block"].append(_block(device, step, mine, loaded))
        logs["tasks"] += _tasks(role, step, worked, loaded, name)
    for kind, lines in logs.items():
        (folder / f"{kind}.log").write_text("\n".join([*lines, "#END done"]) + "\n")


def _loop(loaded: str) -> str:
    return {"web": "loop1", "db": "loop2"}[loaded]


def _top(role: str, step: int, worked: float, loaded: str, name: dict[str, str]) -> list[str]:
    minute, second = divmod(EPOCH_S + step, 60)
    clock = f"{minute // 60 % 24:02d}:{minute % 60:02d}:{second:02d}"
    head = [
        f"top - {clock} up  1:18,  0 users,  load average: 0.10, 0.05, 0.01",
        "Tasks:   3 total,   1 running,   2 sleeping,   0 stopped,   0 zombie",
        "%Cpu(s):  5.6 us, 11.1 sy,  0.0 ni, 83.3 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st ",
        "MiB Mem :    768.0 total,    300.0 free,    200.0 used,    268.0 buff/cache     ",
        "MiB Swap:      0.0 total,      0.0 free,      0.0 used.    500.0 avail Mem ",
        "",
        "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND",
    ]
    processes = (
        [(700, "qemu-system-x86", 0.3), (701, "qemu-system-x86", 0.3)]
        if role == "host"
        else [(812 + i, name[role], 0.02 if role == "web" else 0.2) for i in range(3)]
    )
    rows = []
    for pid, command, share in processes:
        used = 1.0 + 0.001 * step + share * worked
        rows.append(
            f"{pid:>7} root      20   0  158000   2200   1600 S   0.0   0.1 "
            f"{int(used // 60):>3d}:{used % 60:05.2f} {command}"
        )
    return [*head, *rows, ""]


def _iotop(role: str, step: int, busy: float, loaded: str, name: dict[str, str]) -> list[str]:
    rate = {"web": 40.0, "db": 900.0}[loaded] * busy
    total = f"Total DISK READ:       {rate:8.2f} K/s | Total DISK WRITE:       {rate / 2:8.2f} K/s"
    actual = total.replace("Total", "Current")
    head = "    TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN     IO>    COMMAND"
    if role == "host":
        tid, command = {"web": 700, "db": 701}[loaded], f"qemu-system-x86_64 -name guest={loaded},x"
    else:
        tid, command = 812, name[role]
    row = (
        f"{tid:>7} be/4 root     {rate:8.2f} K/s {rate / 2:8.2f} K/s  ?unavailable?  {command}"
        if rate
        else ""
    )
    return [total, actual, head, *([row] if row else [])]


def _block(device: str, step: int, worked: float, loaded: str) -> str:
    operations = int({"web": 5, "db": 60}[loaded] * worked)
    read_sectors, written = (
        int(2 * 1024 * kilo * worked / 1024)
        for kilo in ({"web": (40, 20), "db": (900, 450)}[loaded])
    )
    busy = int({"web": 12, "db": 300}[loaded] * worked) + step
    fields = [
        100 + operations,
        0,
        5000 + read_sectors,
        busy,
        50 + operations // 2,
        0,
        900 + written,
    ]
    fields += [busy // 2, 0, 400 + busy, 800 + 2 * busy, 0, 0, 0, 0, 0, 0]
    return f"/sys/block/{device}/stat:" + " ".join(f"{field:>8}" for field in fields)


def _tasks(role: str, step: int, worked: float, loaded: str, name: dict[str, str]) -> list[str]:
    ticks = int(100 * (1 + 0.001 * step))
    lines = [
        f"cpu {ticks} 0 {ticks} {100 * step} 0 0 0 0 0 0",
        f"cpu0 {ticks} 0 {ticks} 0 0 0 0 0 0 0",
    ]
    if role == "host":
        for pid, vs in ((700, "web"), (701, "db")):
            used = ticks + int(100 * 0.3 * worked * (vs == loaded))
            lines += [
                f"p {pid} 500 1 S 2 {used} 10 0 0 {used // 2} 0 20000 qemu-system-x86",
                f"i {pid} 500 1 2 3 4 5 6 0",
                f"t {pid} {pid} 500 S 0 10 5 0 0 qemu-system-x86",
                f"t {pid} {pid + 100} 501 S 0 {used} 5 {used // 2} 0 CPU 0/KVM",
            ]
            if step == 0:
                lines.append(f"c {pid} 500 qemu-system-x86_64 -name guest={vs},debug-threads=on x")
        return lines
    for number in range(3):
        pid = 812 + number
        used = 100 + int(100 * (0.02 if role == "web" else 0.2) * worked)
        lines += [
            f"p {pid} 700 1 S 1 {used} 0 0 0 0 0 2000 {name[role]}",
            f"t {pid} {pid} 700 S 0 {used} 0 0 0 {name[role]}",
        ]
    return lines


def _httperf(slow: float) -> str:
    replies = 5 * LOAD_S
    return f"""httperf --client=0/1 --server=10.0.2.15 --port=80 --uri=/ --rate=5 --num-conns={replies}
Maximum connect burst length: 1

Total: connections {replies} requests {replies} replies {replies} test-duration {LOAD_S}.000 s

Connection rate: 5.0 conn/s (200.0 ms/conn, <=1 concurrent connections)
Connection time [ms]: min 0.7 avg 0.9 max 3.8 median 0.5 stddev 0.2
Connection time [ms]: connect 0.2
Connection length [replies/conn]: 1.000

Request rate: 5.0 req/s (200.0 ms/req)
Request size [B]: 93.0

Reply rate [replies/s]: min 5.0 avg 5.0 max 5.0 stddev 0.0 (6 samples)
Reply time [ms]: response {5.6 * slow:.1f} transfer 0.0
Reply size [B]: header 280.0 content 16621.0 footer 0.0 (total 16901.0)
Reply status: 1xx=0 2xx={replies} 3xx=0 4xx=0 5xx=0

CPU time [s]: user 1.75 system 7.39 (user 19.1% system 80.6% total 99.7%)
Net I/O: 18105.3 KB/s (148.3*10^6 bps)

Errors: total 0 client-timo 0 socket-timo 0 connrefused 0 connreset 0
Errors: fd-unavail 0 addrunavail 0 ftab-full 0 other 0
"""


def _sysbench(slow: float) -> str:
    rate = 30 / slow
    count = int(rate * LOAD_S)
    mean = 16 / rate * 1000
    ticks = "\n".join(
        f"[ {second}s ] thds: 16 tps: {rate:.2f} qps: {20 * rate:.2f} "
        f"(r/w/o: {14 * rate:.2f}/{4 * rate:.2f}/{2 * rate:.2f}) "
        f"lat (ms,95%): {1.5 * mean:.2f} err/s: 0.00 reconn/s: 0.00"
        for second in range(1, LOAD_S + 1)
    )
    return f"""sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

Running the test with following options:
Number of threads: 16
Report intermediate results every 1 second(s)
Initializing random number generator from current time


Initializing worker threads...

Threads started!

{ticks}
SQL statistics:
    queries performed:
        read:                            {14 * count}
        write:                           {4 * count}
        other:                           {2 * count}
        total:                           {20 * count}
    transactions:                        {count}    ({rate:.2f} per sec.)
    queries:                             {20 * count}  ({20 * rate:.2f} per sec.)
    ignored errors:                      0      (0.00 per sec.)
    reconnects:                          0      (0.00 per sec.)

General statistics:
    total time:                          {LOAD_S}.0004s
    total number of events:              {count}

Latency (ms):
         min:                                    {mean / 3:.2f}
         avg:                                    {mean:.2f}
         max:                                    {3 * mean:.2f}
         95th percentile:                        {1.5 * mean:.2f}
         sum:                                    {mean * count:.2f}

Threads fairness:
    events (avg/stddev):           {count / 16:.4f}/3.00
    execution time (avg/stddev):   {LOAD_S}.0000/0.02
"""
