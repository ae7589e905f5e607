"""A simulated study on disk: raw runs as recorded ones, and truth.json beside study.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.raw import STUDY_FORMAT, is_safe_name
from pipeline.synthetic.clocks import NS_PER_S
from pipeline.synthetic.event_history import History
from pipeline.synthetic.ground_truth import TRUTH_FORMAT, truth
from pipeline.synthetic.host import simulate
from pipeline.synthetic.plan import Plan, PlanError, Server
from pipeline.synthetic.process_table import CLIENT_TOOL
from pipeline.synthetic.random_plans import draw_plan
from pipeline.synthetic.raw_run_text import as_json, recorded

FIRST_NS = 1_768_471_200_000_000_000
"""When the first run began, by its own clocks: 2026-01-15 10:00 UTC. Simulated time has no other."""
DAY = "2026-01-15"
EVERY_NS = 600_000_000_000
"""The next run began so much later, or as much more as its length needs."""
TITLES = {"open": "Web server", "closed": "Database server"}


def write_study(
    plan: Plan,
    folder: Path,
    seed: int,
    replications: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Simulate every run of ``plan`` on each server and write the study into ``folder``; its truth.json.

    ``folder``'s name is the study's. Replications have names of their own (``-a``, ``-b``, …) and other random
    numbers. Raises :class:`PlanError` where the name is not plain or the folder holds something else.
    """
    return _write_plans([replicated(plan, replications)], folder, seed, progress)


def write_drawn(
    hosts: int, folder: Path, seed: int, progress: Callable[[str], None] | None = None
) -> Path:
    """The same for ``hosts`` hosts drawn at random, each a server (``host-001``, …) with one run."""
    plans = []
    for number in range(hosts):
        name = f"host-{number + 1:03d}"
        plan = draw_plan(np.random.default_rng([seed, number]))
        plans.append(replace(plan, servers={name: Server(name, plan.title)}))
    return _write_plans(plans, folder, seed, progress)


def _write_plans(
    plans: list[Plan], folder: Path, seed: int, progress: Callable[[str], None] | None
) -> Path:
    if not is_safe_name(folder.name):
        raise PlanError(f"{folder.name!r} is not a plain name (letters, digits, ., _ and -)")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PlanError(f"{folder} is there already and not empty; a study is never written over")
    known: dict[str, Any] = {}
    for history, began_ns in histories(plans, seed):
        write_run(history, folder.name, folder / history.server / history.run, began_ns)
        known.setdefault(history.server, {})[history.run] = truth(history)
        if progress is not None:
            progress(f"{history.server}/{history.run}")
    _write(folder / "study.json", study_manifest(plans, folder.name))
    document = {"format": TRUTH_FORMAT, "study": folder.name, "seed": seed, "runs": known}
    _write(folder / "truth.json", document)
    return folder / "truth.json"


def replicated(plan: Plan, replications: int) -> Plan:
    """The plan with each run so many times, with letters after the name."""
    if replications == 1:
        return plan
    letters = [chr(ord("a") + i) if i < 26 else str(i + 1) for i in range(replications)]
    runs = {f"{name}-{x}": loads for name, loads in plan.runs.items() for x in letters}
    return replace(plan, runs=runs)


def histories(plans: Iterable[Plan], seed: int) -> Iterator[tuple[History, int]]:
    """Every run of every server with the moment it began (ns since 1970), one after the other."""
    began_ns = FIRST_NS
    for plan in plans:
        for server, run in product(plan.servers, plan.runs):
            history = simulate(plan, server, run, seed)
            yield history, began_ns
            length_ns = round(history.end_s * NS_PER_S)
            began_ns += EVERY_NS * (1 + length_ns // EVERY_NS)


def write_run(history: History, study: str, folder: Path, began_ns: int = FIRST_NS) -> None:
    """One raw run into ``folder``, run.json last: without it there is no run."""
    for name, text in recorded(history, study, began_ns).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def study_manifest(plans: list[Plan], study: str) -> dict[str, Any]:
    """study.json: the plans as a recorded study has them."""
    servers, virtual, runs = {}, {}, {}
    for plan in plans:
        virtual |= plan.virtual_servers
        for name, server in plan.servers.items():
            servers[name] = {
                "title": server.title or name,
                "accelerator": plan.accelerator,
                "envelope": {
                    "cpu_times": server.cpu_times,
                    "disk": {"kind": "simulated", "disk_times": server.disk_times},
                },
            }
            runs[name] = {
                run: {
                    "purpose": "load-sweep",
                    "seconds": plan.seconds,
                    "load": {
                        guest: load.described(plan.virtual_servers[guest].kind)
                        for guest, load in loads.items()
                    },
                }
                for run, loads in plan.runs.items()
            }
    return {
        "format": STUDY_FORMAT,
        "study": study,
        "title": plans[0].title if len(plans) == 1 else f"{len(plans)} hosts drawn at random",
        "recorded": DAY,
        "simulated": True,
        "servers": servers,
        "virtual_servers": {
            name: {"title": TITLES[server.kind], "vcpus": 1, "software": "simulated"}
            for name, server in virtual.items()
        },
        "workloads": {
            name: {"tool": CLIENT_TOOL[server.kind], "kind": server.kind}
            for name, server in virtual.items()
        },
        "runs": runs,
        "case_study": _case_study(plans[0]) if len(plans) == 1 else {},
        "held_out": [],
    }


def _case_study(plan: Plan) -> dict[str, str]:
    """Virtual server → the first run that loads it: where two servers are compared."""
    return {
        name: next(run for run, loads in plan.runs.items() if name in loads)
        for name in plan.virtual_servers
        if any(name in loads for loads in plan.runs.values())
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(as_json(document), encoding="utf-8")
