"""Small runs to ingest."""

import json
import os
import signal
from pathlib import Path

from pipeline.ingest import writer

BOOT = "0f0e0d0c-0b0a-4908-8706-050403020100"


START = 1_790_000_000_000_000_000


ACCESS = """\
192.0.2.9 - - [21/Sep/2026:14:13:21 +0000] "GET /a HTTP/1.1" 200 10 "-" "httperf/0.9.0"
not a request
192.0.2.9 - - [21/Sep/2026:14:13:22 +0000] "GET /b HTTP/1.1" 500 - "-" "httperf/0.9.0"
"""


GENERAL = (
    "260921 16:13:21\t    7 Query\tBEGIN\n\t\t    7 Query\tSELECT\n1\n\t\t    7 Query\tCOMMIT\n"
)


HTTPERF = "Total: connections 2 requests 2 replies 2 test-duration 1.001 s\n"


SYSBENCH = "    transactions:                        30     (29.50 per sec.)\n"


def tasks_log(seed):
    lines = []
    for tick in range(3):
        lines.append(f"#T {START + tick * 10**9} {50 * 10**9 + tick * 10**9} {tick} {BOOT}")
        lines.append(f"cpu  {seed + tick} 0 4 900 0 0 0 0 0 0")
        lines.append(f"p 31 200 1 S 1 {seed + 2 * tick} 3 0 0 - 0 900 <script>alert(1)</script>")
        lines.append(f"i 31 200 10 20 1 2 4096 {8192 * tick} 0")
        lines.append(f"t 31 31 200 S 0 {seed + 2 * tick} 3 - 0 <script>")
    return "\n".join([*lines, "#END stopped", ""])


def make_run(raw, study, server, run, *, seed=1):
    folder = raw / study / server / run
    manifest = {
        "format": "queuevisor-run/1", "study": study, "server": server, "run": run,
        "window": {"start_ns": START, "end_ns": START + 10**10}, "accelerator": "tcg",
        "roles": {
            "client": {"clock_offset_ns": 0},
            "host": {"clock_offset_ns": 5},
            "db": {"clock_offset_ns": -7, "time_zone": "Europe/Berlin"},
            "web": {"clock_offset_ns": 9},
        },
        "virtual_servers": {
            "web": {"role": "web", "workload": {
                "kind": "open", "rate_per_s": 2, "request": "HTTP request",
                "log": "client/httperf.log"}},
            "db": {"role": "db", "workload": {
                "kind": "closed", "population": 4, "request": "transaction",
                "log": "client/sysbench.log"}},
        },
    }  # fmt: skip
    texts = {
        "host/tasks.log": tasks_log(seed), "web/tasks.log": tasks_log(seed + 1),
        "db/tasks.log": tasks_log(seed + 2), "web/access.log": ACCESS, "db/general.log": GENERAL,
        "client/httperf.log": HTTPERF, "client/sysbench.log": SYSBENCH,
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "run.json").write_text(json.dumps(manifest))
    (raw / study / "study.json").write_text('{"format": "queuevisor-study/1"}')
    return folder


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name not in ("lock", "file_status.json", "grown_logs.json")
    }


def ingest_or_be_killed(run, *options):
    """``writer.ingest_run``; the worker of one run is killed, as by a kernel without memory."""
    if run.run == "db-2":
        os.kill(os.getpid(), signal.SIGKILL)
    return writer.ingest_run(run, *options)
