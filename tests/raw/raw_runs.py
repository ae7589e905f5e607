"""One raw run on disk, good, and changes to its manifest."""

import copy
import json

from pipeline.raw import (
    find_run,
)

RUN = {
    "format": "queuevisor-run/1",
    "study": "pair",
    "server": "first",
    "run": "both-a",
    "window": {"start_ns": 1_790_000_000_000_000_000, "end_ns": 1_790_000_120_500_000_000},
    "before": {"start_ns": 1_789_999_960_000_000_000, "end_ns": 1_789_999_990_000_000_000},
    "accelerator": "tcg",
    "roles": {
        "client": {"hostname": "c", "clock_offset_ns": 0, "tools": {"httperf": "httperf-0.9.0"}},
        "host": {"hostname": "h", "boot_id": "b1", "clock_offset_ns": -1500,
                 "clock_uncertainty_ns": 900, "time_zone": "UTC"},
        "web": {"hostname": "w", "boot_id": "b2", "clock_offset_ns": 2_000_000},
        "db": {"hostname": "d", "boot_id": "b3", "clock_offset_ns": 0},
    },
    "virtual_servers": {
        "web": {"role": "web",
                "workload": {"kind": "open", "rate_per_s": 5.0, "arrivals": "even",
                             "request": "HTTP request", "log": "client/httperf.log",
                             "start_ns": 1_790_000_000_100_000_000,
                             "end_ns": 1_790_000_120_300_000_000},
                "server_processes": "^apache2$", "qemu_process": "guest=web[, ]",
                "virtual_disk": "vda", "host_disk": "loop1"},
        "db": {"role": "db",
               "workload": {"kind": "closed", "population": 16, "think_time_s": 0.0,
                            "request": "transaction", "log": "client/sysbench.log"},
               "server_processes": "^(mariadbd|mysqld)$", "qemu_process": "guest=db[, ]",
               "virtual_disk": "vda", "host_disk": "loop2"},
    },
}  # fmt: skip


STUDY = {
    "format": "queuevisor-study/1", "study": "pair", "title": "Two servers",
    "servers": {"second": {}, "first": {}}, "virtual_servers": {"web": {}, "db": {}},
    "workloads": {}, "runs": {"first": {"both-a": {"purpose": "case-study"}}},
    "case_study": {"web": "both-a", "db": "both-a"}, "held_out": ["first/both-a"],
}  # fmt: skip


FACTS = {"format": "queuevisor-facts/1", "role": "host", "clock_ticks_per_s": 100}


def the_run(raw):
    return find_run(raw, "pair", "first", "both-a")


def changed(raw, *path, value=None, delete=False):
    manifest = copy.deepcopy(RUN)
    here = manifest
    for key in path[:-1]:
        here = here[key]
    if delete:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    (raw / "pair/first/both-a/run.json").write_text(json.dumps(manifest))
    return the_run(raw)


def rotate(raw, role, stem, names):
    folder = raw / "pair/first/both-a" / role
    (folder / f"{stem}.log").unlink()
    for name in names:
        (folder / name).write_bytes(b"")


def write_study_logs(folder):
    """Put different bytes into every log of the run, so that one can be told from another."""
    for path in sorted(folder.glob("*/*.log*")):
        path.write_bytes(path.relative_to(folder).as_posix().encode() * 9)
