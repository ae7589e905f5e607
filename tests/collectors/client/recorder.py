"""Runs record_experiment.py with a small plan and reads what it recorded."""

import contextlib
import gzip
import json
import os
import shutil
import subprocess
import sys
import time

from ..helpers import CLIENT, list_children, read_command, wait_for

PROGRAM = os.path.join(CLIENT, "record_experiment.py")
PATTERNS = {"only": ("host", "web"), "server_processes": ("web", "db")}
"""Of plan_for: no process need match them."""
LOAD = ["sysbench", "cpu", "--time=1", "run"] if shutil.which("sysbench") else ["sleep", "1"]


def plan_for(folder, load=None):
    """A plan for this machine alone; its patterns need not match, its paths exist."""
    (folder / "access.log").write_text("before\n")
    return {
        "study": folder.name, "server": "first", "run": "r1", "before_s": 1, "after_s": 1, "interval_s": 0.5,
        "roles": {
            "host": {"via": "local", "only": "^qv-nobody$", "hostname": "first"},
            "web": {"via": "local", "only": "^qv-nobody$", "logs": {"access.log": str(folder / "access.log")}},
        },
        "virtual_servers": {
            "web": {
                "role": "web",
                "workload": {"kind": "closed", "population": 1, "think_time_s": 0.0, "request": "event"},
                "server_processes": "^x$", "virtual_disk": str(folder),
            },
            "db": {"role": "web", "workload": {"kind": "open", "rate_per_s": 1.0}, "server_processes": "^y$"},
        },
        "loads": {"web": {"command": load or LOAD, "log": "sysbench.log"}},
        "client": {"hostname": "client"}, "notes": ["a test"],
        "accept": [f"{n}.{k}" for k, ns in PATTERNS.items() for n in ns],
    }  # fmt: skip


def record(folder, plan, *options, out="r1", **popen_options):
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    argv = [
        sys.executable,
        "-B",
        PROGRAM,
        str(path),
        "--out",
        str(folder / "first" / out),
        *options,
    ]
    return subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=90, **popen_options
    )


def read_log(path):
    paths = [
        p
        for p in path.parent.iterdir()
        if p.name in (path.name, path.name + ".gz", path.name + ".zst")
    ]
    assert len(paths) == 1, f"{path}: {paths}"
    if paths[0].suffix == ".gz":
        return gzip.decompress(paths[0].read_bytes()).decode()
    if paths[0].suffix == ".zst":
        return subprocess.run(
            ["zstd", "-qdc", str(paths[0])], stdout=subprocess.PIPE, check=True
        ).stdout.decode()
    return paths[0].read_text()


@contextlib.contextmanager
def running_recorder(folder, plan):
    """The recorder while its load runs; afterwards its messages are in `stderr_text`."""
    (folder / "plan.json").write_text(json.dumps(plan))
    argv = [
        sys.executable,
        "-B",
        PROGRAM,
        str(folder / "plan.json"),
        "--out",
        str(folder / "first" / "r1"),
    ]
    env = dict(os.environ, TMPDIR=str(folder))
    p = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=env)
    load = plan["loads"]["web"]["command"][-1].encode()
    assert wait_for(lambda: [c for c in list_children(p.pid) if load in read_command(c)], 60)
    time.sleep(2)
    yield p
    _, p.stderr_text = p.communicate(timeout=90)


def short_plan(folder):
    plan = plan_for(folder, ["sleep", "6.66"])
    plan["before_s"] = plan["after_s"] = 0
    return plan


def assert_host_is_complete(out):
    for log in ("top.log", "iotop.log", "tasks.log"):
        assert read_log(out / "host" / log).endswith("#END SIGTERM\n")


def list_collector_pids(folder, role):
    """Pids of the collectors of a role that this test started: their paths are below its folder."""
    pids = []
    for name in os.listdir("/proc"):
        argv = read_command(name).split(b"\0") if name.isdigit() else []
        is_collector = any(word.endswith(b"daemon.py") for word in argv)
        if is_collector and role.encode() in argv and str(folder).encode() in b" ".join(argv):
            pids.append(int(name))
    return pids
