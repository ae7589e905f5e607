"""A simulated study on disk: raw runs, study.json, and the true values in truth.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import files
from pipeline.raw import STUDY_FORMAT, is_safe_name
from pipeline.synthetic import texts
from pipeline.synthetic.clocks import NS_PER_S
from pipeline.synthetic.event_history import RunHistory
from pipeline.synthetic.ground_truth import TRUTH_FORMAT, ground_truth
from pipeline.synthetic.host import simulate_run
from pipeline.synthetic.plan import Plan, PlanError, Server
from pipeline.synthetic.process_table import CLIENT_TOOL
from pipeline.synthetic.random_plans import draw_plan
from pipeline.synthetic.raw_run_text import render_run_files, to_json

FIRST_RUN_NS = 1_768_471_200_000_000_000
"""Start of the first run in simulated time: 2026-01-15 10:00 UTC."""
RECORDED_DATE = "2026-01-15"
RUN_SPACING_NS = 600_000_000_000
"""Time between the starts of runs; a multiple of it after longer runs."""


def write_study(
    plan: Plan,
    folder: Path,
    seed: int,
    replications: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Simulate every run of a plan on each server and write the study.

    Parameters
    ----------
    plan : Plan
    folder : Path
        New folder; its name is the study's. It appears when it is complete.
    seed : int
        The same seed writes the same bytes.
    replications : int
        Repetitions of each run, named ``-a``, ``-b``, …, with different random numbers.
    progress : callable, optional
        Called with ``server/run`` after each run.

    Returns
    -------
    Path
        The study's truth.json.

    Raises
    ------
    PlanError
        If the name is unsafe or the folder is not empty.

    Examples
    --------
    >>> write_study(parse_plan(EXAMPLE), Path("data/raw/known"), seed=1)  # doctest: +SKIP
    """
    return _write_plans([replicate_runs(plan, replications)], folder, seed, progress)


def write_random_study(
    hosts: int, folder: Path, seed: int, progress: Callable[[str], None] | None = None
) -> Path:
    """Write a study of ``hosts`` random hosts, each a server (``host-001``, …) with one run."""
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
        raise PlanError(f"{folder.name!r} is not a valid name: use letters, digits, ., _ and -")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PlanError(f"{folder} exists and is not empty; choose a new folder")
    true_values: dict[str, Any] = {}
    with files.create_folder(folder) as part:
        for history, started_ns in simulate_runs(plans, seed):
            write_run(history, folder.name, part / history.server / history.run, started_ns)
            true_values.setdefault(history.server, {})[history.run] = ground_truth(history)
            if progress is not None:
                progress(f"{history.server}/{history.run}")
        _write_json(part / "study.json", study_manifest(plans, folder.name))
        document = {"format": TRUTH_FORMAT, "study": folder.name, "seed": seed, "runs": true_values}
        _write_json(part / "truth.json", document)
    return folder / "truth.json"


def replicate_runs(plan: Plan, replications: int) -> Plan:
    """The plan with each run repeated, with a letter after its name."""
    if replications == 1:
        return plan
    letters = [chr(ord("a") + i) if i < 26 else str(i + 1) for i in range(replications)]
    runs = {f"{name}-{x}": loads for name, loads in plan.runs.items() for x in letters}
    return replace(plan, runs=runs)


def simulate_runs(plans: Iterable[Plan], seed: int) -> Iterator[tuple[RunHistory, int]]:
    """The history of every run of every server with its start (ns since 1970)."""
    started_ns = FIRST_RUN_NS
    for plan in plans:
        for server, run in product(plan.servers, plan.runs):
            history = simulate_run(plan, server, run, seed)
            yield history, started_ns
            length_ns = round(history.end_s * NS_PER_S)
            started_ns += RUN_SPACING_NS * (1 + length_ns // RUN_SPACING_NS)


def write_run(
    history: RunHistory, study: str, folder: Path, started_ns: int = FIRST_RUN_NS
) -> None:
    """Write one raw run into ``folder``, run.json last, which makes it a run."""
    for name, text in render_run_files(history, study, started_ns).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, text)


def study_manifest(plans: list[Plan], study: str) -> dict[str, Any]:
    """study.json of the plans."""
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
                        guest: load.to_manifest(plan.virtual_servers[guest].kind)
                        for guest, load in loads.items()
                    },
                }
                for run, loads in plan.runs.items()
            }
    return {
        "format": STUDY_FORMAT,
        "study": study,
        "title": plans[0].title if len(plans) == 1 else texts.random_hosts_title(len(plans)),
        "recorded": RECORDED_DATE,
        "simulated": True,
        "servers": servers,
        "virtual_servers": {
            name: {
                "title": texts.VIRTUAL_SERVER_TITLES[server.kind],
                "vcpus": 1,
                "software": "simulated",
            }
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
    """The first run that loads each virtual server: the runs that servers are compared by."""
    return {
        name: next(run for run, loads in plan.runs.items() if name in loads)
        for name in plan.virtual_servers
        if any(name in loads for loads in plan.runs.values())
    }


def _write_json(path: Path, document: dict[str, Any]) -> None:
    files.write_text(path, to_json(document))
