"""The study's plan: which runs there are, with which loads, and which are held out."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from . import paths
from .paths import STUDY_PLAN, TestbedError, read_json

PLAIN = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")


@dataclass(frozen=True)
class WebLoad:
    """An open load: so many connections a second, one request each."""

    rate: int
    arrivals: str  # "even" or "poisson"

    def as_json(self) -> dict:
        """As run.json and study.json tell it."""
        return {"kind": "open", "rate_per_s": float(self.rate), "arrivals": self.arrivals}


@dataclass(frozen=True)
class DatabaseLoad:
    """A closed load: so many threads, each beginning its next transaction when one ends."""

    threads: int

    def as_json(self) -> dict:
        """As run.json and study.json tell it."""
        return {"kind": "closed", "population": self.threads, "think_time_s": 0.0}


@dataclass(frozen=True)
class Run:
    """One experiment on one server."""

    server: str
    name: str
    purpose: str
    seconds: int
    loads: dict = field(hash=False)

    @property
    def path(self) -> str:
        """server/run."""
        return f"{self.server}/{self.name}"

    @property
    def seed(self) -> int:
        """The same run draws the same documents and rows whenever it is recorded."""
        return int(hashlib.sha256(self.path.encode()).hexdigest()[:7], 16)


def case_study_runs(server: str, plan: dict) -> list[Run]:
    """The paper's own experiment, repeated."""
    case = plan["case_study"]
    web, db = WebLoad(case["web_rate"], "even"), DatabaseLoad(case["db_threads"])
    kinds = {
        f"web-{web.rate:03d}": {"web": web},
        f"db-{db.threads:02d}": {"db": db},
        f"both-{web.rate:03d}-{db.threads:02d}": {"web": web, "db": db},
    }
    return [
        Run(server, f"{name}-{letter}", "case-study", case["seconds"], loads)
        for letter in case["repetitions"]
        for name, loads in kinds.items()
    ]


def sweep_runs(server: str, plan: dict) -> list[Run]:
    """Each load by itself, from little to much; then the whole again, as often as the plan says."""
    sweep = plan["sweep"]
    loads: dict[str, list[tuple[str, WebLoad | DatabaseLoad]]] = {
        "db": [
            (f"db-{threads:02d}-sweep", DatabaseLoad(threads)) for threads in sweep["db_threads"]
        ],
        "web": [
            (f"web-{rate:03d}-{arrivals}", WebLoad(rate, arrivals))
            for rate in sweep["web_rates"][server]
            for arrivals in ("even", "poisson")
        ],
    }
    times = sweep["repetitions"][server]
    return [
        Run(server, repeated(name, turn), "load-sweep", sweep["seconds"], {guest: load})
        for turn in range(1, max(times.values()) + 1)
        for guest, some in loads.items()
        if turn <= times[guest]
        for name, load in some
    ]


def repeated(name: str, turn: int) -> str:
    """The name of a run's ``turn``-th repetition; the first has none."""
    return name if turn == 1 else f"{name}-{turn}"


def runs(plan: dict, servers: list[str]) -> list[Run]:
    """Every run of the study, a server at a time, the case study first."""
    found = []
    for server in servers:
        if server not in plan["sweep"]["web_rates"]:
            raise TestbedError(f"plan of {plan['study']}: no web_rates for server {server!r}")
        found += case_study_runs(server, plan) + sweep_runs(server, plan)
    for run in found:
        if not PLAIN.match(run.name):
            raise TestbedError(f"plan of {plan['study']}: no plain name: {run.name!r}")
    return found


def held_out(plan: dict, servers: list[str]) -> list[str]:
    """The runs that nothing may be fitted to: chosen here, before anything was recorded."""
    out = plan["held_out"]
    case = plan["case_study"]
    both = f"both-{case['web_rate']:03d}-{case['db_threads']:02d}"
    names = []
    for server in servers:
        times = plan["sweep"]["repetitions"][server]
        names += [
            f"{server}/{repeated(f'db-{threads:02d}-sweep', turn)}"
            for turn in range(1, times["db"] + 1)
            for threads in out["db_threads"]
        ]
        names += [
            f"{server}/{repeated(f'web-{rate:03d}-{arrivals}', turn)}"
            for turn in range(1, times["web"] + 1)
            for rate in out["web_rates"][server]
            for arrivals in ("even", "poisson")
        ]
        names += [f"{server}/{both}-{letter}" for letter in out["both"]]
    unknown = set(names) - {run.path for run in runs(plan, servers)}
    if unknown:
        raise TestbedError(
            f"plan of {plan['study']}: held out, but not planned: {', '.join(sorted(unknown))}"
        )
    return names


def study_json(
    plan: dict, envelopes: dict, accelerator: str, recorded: list[Run], date: str
) -> dict:
    """What study.json says; `recorded` are the runs that are there."""
    case = plan["case_study"]
    servers = {}
    for name, envelope in envelopes.items():
        servers[name] = {
            "title": envelope["title"],
            "accelerator": accelerator,
            "envelope": {
                key: envelope[key]
                for key in ("cpus", "cpu_quota", "cpu_period_us", "memory_bytes", "disk")
            },
        }
    listed: dict = {name: {} for name in envelopes}
    for run in recorded:
        listed[run.server][run.name] = {
            "purpose": run.purpose,
            "seconds": run.seconds,
            "load": {name: load.as_json() for name, load in run.loads.items()},
        }
    return {
        "format": "queuevisor-study/1",
        "study": plan["study"],
        "title": plan["title"],
        "recorded": date,
        "servers": servers,
        "virtual_servers": {
            "web": {
                "title": "Web server",
                "vcpus": 1,
                "software": "Debian 12, Apache 2.4 prefork (5 processes at the start, one "
                "request a connection)",
                "content": f"{paths.DOCUMENTS} documents of {paths.DOCUMENT_BYTES} bytes, "
                "asked for in random order, page cache empty at each run's start",
            },
            "db": {
                "title": "Database server",
                "vcpus": 1,
                "software": "Debian 12, MariaDB 10.11 (general query log on, buffer pool 64 MiB, "
                "O_DIRECT)",
                "content": f"one table of {paths.DATABASE_ROWS} rows",
            },
        },
        "workloads": {
            "web": {
                "tool": "httperf",
                "kind": "open",
                "title": "so many connections a second, one request each; even: evenly "
                "spaced (--rate), poisson: exponential gaps (--period=e)",
            },
            "db": {
                "tool": "sysbench",
                "kind": "closed",
                "script": "oltp_read_write",
                "title": "threads that run transactions one after the other, rows drawn "
                "uniformly (--rand-type=uniform)",
            },
        },
        "runs": listed,
        "case_study": {
            "web": f"web-{case['web_rate']:03d}-a",
            "db": f"db-{case['db_threads']:02d}-a",
            "both": f"both-{case['web_rate']:03d}-{case['db_threads']:02d}-a",
        },
        "held_out": [
            name
            for name in held_out(plan, list(envelopes))
            if name in {run.path for run in recorded}
        ],
    }


def load(path: Path = STUDY_PLAN) -> dict:
    """The plan file, checked as far as the runs need it."""
    plan = read_json(path)
    for key in (
        "study", "title", "before_s", "after_s", "quiet_ns", "quiet_idle_cpus",
        "case_study", "sweep", "held_out",
    ):  # fmt: skip
        if key not in plan:
            raise TestbedError(f"{path}: lacks {key!r}")
    if not PLAIN.match(plan["study"]):
        raise TestbedError(f"{path}: study: no plain name: {plan['study']!r}")
    return plan
