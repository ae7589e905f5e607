"""The study plan: its runs, their loads, and which of them are held out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from . import TestbedError, factor_plan, listed_plan, servers
from .guests import DATABASE_ROWS, DOCUMENT_BYTES, DOCUMENTS, GUESTS, get_image, split_name
from .paths import STUDY_PLAN, read_json
from .runs import SAFE_NAME, DatabaseLoad, Run, WebLoad

KEYS = (
    "study",
    "title",
    "before_s",
    "after_s",
    "max_memory_latency_ns",
    "max_idle_cpus",
    "case_study",
    "sweep",
    "held_out",
)
VIRTUAL_SERVERS = {
    "web": {
        "title": "Web server",
        "vcpus": 1,
        "software": "Debian 12, Apache 2.4 prefork (5 processes at the start, one "
        "request per connection)",
        "content": f"{DOCUMENTS} documents of {DOCUMENT_BYTES} bytes, "
        "requested in random order, page cache empty at the start of each run",
    },
    "db": {
        "title": "Database server",
        "vcpus": 1,
        "software": "Debian 12, MariaDB 10.11 (general query log on, buffer pool 64 MiB, O_DIRECT)",
        "content": f"one table of {DATABASE_ROWS} rows",
    },
}
WORKLOADS = {
    "web": {
        "tool": "httperf",
        "kind": "open",
        "title": "connections at a given rate, one request each; even: equal "
        "interarrival times (--rate), poisson: exponential ones (--period=e)",
    },
    "db": {
        "tool": "sysbench",
        "kind": "closed",
        "script": "oltp_read_write",
        "title": "threads that run transactions without think time, rows drawn "
        "uniformly (--rand-type=uniform)",
    },
}
"""By image, as study.json describes them."""


def list_case_study_runs(server: str, plan: dict) -> list[Run]:
    """List the repetitions of the paper's experiment."""
    case = plan["case_study"]
    web, db = WebLoad(case["web_rate"], "even"), DatabaseLoad(case["db_threads"])
    loads_by_name = {
        f"web-{web.rate:03d}": {"web": web},
        f"db-{db.threads:02d}": {"db": db},
        f"both-{web.rate:03d}-{db.threads:02d}": {"web": web, "db": db},
    }
    return [
        Run(server, f"{name}-{letter}", "case-study", case["seconds"], loads)
        for letter in case["repetitions"]
        for name, loads in loads_by_name.items()
    ]


def list_sweep_runs(server: str, plan: dict) -> list[Run]:
    """List the runs with increasing load on one guest, in as many repetitions as the plan has."""
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
    repetitions = sweep["repetitions"][server]
    return [
        Run(server, format_name(name, number), "load-sweep", sweep["seconds"], {guest: load})
        for number in range(1, max(repetitions.values()) + 1)
        for guest, named_loads in loads.items()
        if number <= repetitions[guest]
        for name, load in named_loads
    ]


def format_name(name: str, number: int) -> str:
    """Format the name of a run's repetition; the first repetition has no number."""
    return name if number == 1 else f"{name}-{number}"


def list_resources(plan: dict) -> dict[str, dict]:
    """Return the resources of each server of the plan: servers.json's, or its own if it has factors."""
    if "factors" in plan:
        return factor_plan.list_resources(plan)
    if "starts" in plan:
        return listed_plan.list_resources(plan)
    return servers.read_servers()


def list_runs(plan: dict, servers: Collection[str]) -> list[Run]:
    """List all runs of the plan in the order of recording: server by server, the case study first; or in the order
    of the plan, if it has factors or lists its runs."""
    if "factors" in plan:
        return factor_plan.list_runs(plan)
    if "starts" in plan:
        return listed_plan.list_runs(plan)
    runs = []
    for server in servers:
        for part, key in (
            ("sweep", "web_rates"),
            ("sweep", "repetitions"),
            ("held_out", "web_rates"),
        ):
            if server not in plan[part][key]:
                raise TestbedError(
                    f"plan of {plan['study']}: {part}.{key} has no server {server!r}"
                )
        runs += list_case_study_runs(server, plan) + list_sweep_runs(server, plan)
    for run in runs:
        if not SAFE_NAME.match(run.name):
            raise TestbedError(
                f"plan of {plan['study']}: run name {run.name!r}: only letters, digits, "
                "'.', '_' and '-' are allowed, and no '.' at the start"
            )
    return runs


def list_held_out(plan: dict, servers: Collection[str]) -> list[str]:
    """List the paths of the runs that no model may be fitted to. They are chosen before recording."""
    if "case_study" not in plan:
        return []
    held_out = plan["held_out"]
    case = plan["case_study"]
    both = f"both-{case['web_rate']:03d}-{case['db_threads']:02d}"
    planned = {run.path for run in list_runs(plan, servers)}
    names = []
    for server in servers:
        repetitions = plan["sweep"]["repetitions"][server]
        names += [
            f"{server}/{format_name(f'db-{threads:02d}-sweep', number)}"
            for number in range(1, repetitions["db"] + 1)
            for threads in held_out["db_threads"]
        ]
        names += [
            f"{server}/{format_name(f'web-{rate:03d}-{arrivals}', number)}"
            for number in range(1, repetitions["web"] + 1)
            for rate in held_out["web_rates"][server]
            for arrivals in ("even", "poisson")
        ]
        names += [f"{server}/{both}-{letter}" for letter in held_out["both"]]
    unknown = set(names) - planned
    if unknown:
        raise TestbedError(
            f"plan of {plan['study']}: held_out names runs that are not in the plan: "
            f"{', '.join(sorted(unknown))}"
        )
    return names


def build_study_manifest(
    plan: dict, all_resources: dict, accelerator: str, listed: list[Run], date: str
) -> dict:
    """Build the content of study.json.

    Parameters
    ----------
    all_resources : dict
        Resources of each server (:func:`servers.read_servers`).
    listed : list of Run
        The runs to list.
    date : str
        Date of the first recording, as YYYY-MM-DD.
    """
    server_entries = {}
    for name, resources in all_resources.items():
        server_entries[name] = {
            "title": resources["title"],
            "accelerator": accelerator,
            "envelope": {key: resources[key] for key in servers.RESOURCES if key in resources},
        }
    runs: dict = {name: {} for name in all_resources}
    for run in listed:
        runs[run.server][run.name] = {
            "purpose": run.purpose,
            "seconds": run.seconds,
            "load": {name: load.to_json() for name, load in run.loads.items()},
            **run.details,
        }
    guests = listed_plan.list_guests(plan) if "starts" in plan else GUESTS
    manifest = {
        "format": "queuevisor-study/1",
        "study": plan["study"],
        "title": plan["title"],
        "recorded": date,
        "servers": server_entries,
        "virtual_servers": {guest: describe_guest(guest) for guest in guests},
        "workloads": {guest: WORKLOADS[get_image(guest)] for guest in guests},
        "runs": runs,
        "held_out": [
            name
            for name in list_held_out(plan, all_resources)
            if name in {run.path for run in listed}
        ],
    }
    if "factors" in plan:
        manifest["factors"] = plan["factors"]
        for virtual_server in manifest["virtual_servers"].values():
            if "vcpus" in plan["factors"]:
                del virtual_server["vcpus"]
    if "case_study" in plan:
        case = plan["case_study"]
        manifest["case_study"] = {
            "web": f"web-{case['web_rate']:03d}-a",
            "db": f"db-{case['db_threads']:02d}-a",
            "both": f"both-{case['web_rate']:03d}-{case['db_threads']:02d}-a",
        }
    return manifest


def describe_guest(guest: str) -> dict:
    """Describe a guest as study.json does; the title of one of several has its number."""
    image, number = split_name(guest)
    entry = VIRTUAL_SERVERS[image]
    return {**entry, "title": f"{entry['title']} {number}" if number else entry["title"]}


def read_plan(path: Path = STUDY_PLAN) -> dict:
    """Read the plan and check that its keys are present and its name is safe."""
    plan = read_json(path)
    keys = factor_plan.KEYS if "factors" in plan else listed_plan.KEYS if "starts" in plan else KEYS
    for key in keys:
        if key not in plan:
            raise TestbedError(f"{path}: key {key!r} is missing")
    if not SAFE_NAME.match(plan["study"]):
        raise TestbedError(
            f"{path}: study: {plan['study']!r}: only letters, digits, '.', '_' and '-' are "
            "allowed, and no '.' at the start"
        )
    if "factors" in plan:
        factor_plan.check(plan, path)
    if "starts" in plan:
        listed_plan.check(plan, path)
    return plan
