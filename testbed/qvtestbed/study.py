"""Record the study: all planned runs that are not recorded yet, in the order of the plan."""

from __future__ import annotations

import json
import re
import time
from itertools import groupby
from pathlib import Path

from . import (
    TestbedError,
    experiment,
    image_build,
    memory_latency,
    paths,
    plan,
    server_lifecycle,
    servers,
)
from .console import print_status
from .runs import Run, WebLoad

RETRY_INTERVAL_S = 15.0
"""Time between two checks whether the machine is idle."""
OVERHEAD_S = 25
"""Time that a run takes beside its idle baseline and its load."""
START_S = 90
"""Time to start a server."""


def is_recorded(raw: Path, study: str, run: Run) -> bool:
    """Whether this run has been recorded."""
    return (raw / study / run.server / run.name / "run.json").exists()


def write_study_manifest(
    raw: Path, study_plan: dict, all_resources: dict, planned: list[Run], accelerator: str
) -> None:
    """Write study.json; the date of the first recording is kept.

    It lists the runs recorded so far; of a designed experiment all planned ones, so that what is missing is known.
    """
    path = raw / study_plan["study"] / "study.json"
    date = time.strftime("%Y-%m-%d", time.gmtime())
    if path.exists():
        date = paths.read_json(path).get("recorded", date)
    listed = [
        run
        for run in planned
        if "factors" in study_plan or is_recorded(raw, study_plan["study"], run)
    ]
    content = plan.build_study_manifest(study_plan, all_resources, accelerator, listed, date)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(".study.json.partial")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.rename(path)


def record_missing_runs(
    study_plan: dict,
    raw: Path,
    pattern: str | None = None,
    *,
    accelerator: str = "auto",
    wait_until_idle: bool = False,
) -> int:
    """Record the planned runs that are not recorded yet.

    Parameters
    ----------
    pattern : str, optional
        Regular expression that a run's server/run must match as a whole. Default: all runs.
    wait_until_idle : bool
        Start a run only while the machine meets the plan's limits.

    Returns
    -------
    int
        Exit code: 0, or 1 if a run failed or had warnings.
    """
    for key in ("max_memory_latency_ns", "max_idle_cpus"):
        if wait_until_idle and key not in study_plan:
            raise TestbedError(
                f"plan of {study_plan['study']}: key {key!r} is missing: a limit of --wait-until-idle"
            )
    all_resources = plan.list_resources(study_plan)
    planned = plan.list_runs(study_plan, all_resources)
    try:
        selected = [run for run in planned if pattern is None or re.fullmatch(pattern, run.path)]
    except re.error as error:
        raise TestbedError(f"--only {pattern!r}: not a regular expression: {error}") from None
    if not selected:
        raise TestbedError(f"no planned run matches {pattern!r}; list them with `testbed.py plan`")
    missing = [run for run in selected if not is_recorded(raw, study_plan["study"], run)]
    print_status(
        f"{len(selected) - len(missing)} of {len(selected)} runs are recorded; {len(missing)} to "
        f"record, about {estimate_minutes(missing, study_plan):.0f} minutes"
    )
    if not missing:
        return 0
    image_build.build_images()
    has_problems = False
    for (server, boot), group in groupby(missing, key=lambda run: (run.server, run.boot)):
        runs = list(group)
        if boot:
            print_status(f"server {server}, {boot}")
        try:
            is_clean = record_on_server(
                raw, study_plan, all_resources, planned, runs, accelerator, wait_until_idle
            )
        except TestbedError as error:
            if not boot:
                raise
            print_status(f"server {server}, {boot}: {error}")  # the others can still be recorded
            is_clean = False
        has_problems = has_problems or not is_clean
    return 1 if has_problems else 0


def record_single_run(study_plan: dict, raw: Path, path: str, *, accelerator: str = "auto") -> int:
    """Record the run server/run; an error if it is recorded already. Returns the exit code."""
    all_resources = plan.list_resources(study_plan)
    planned = {run.path: run for run in plan.list_runs(study_plan, all_resources)}
    if path not in planned:
        raise TestbedError(f"no planned run {path!r}; list them with `testbed.py plan`")
    if is_recorded(raw, study_plan["study"], planned[path]):
        raise TestbedError(
            f"{raw / study_plan['study'] / path} exists; a recorded run is never changed"
        )
    return record_missing_runs(study_plan, raw, re.escape(path), accelerator=accelerator)


def estimate_minutes(runs: list[Run], study_plan: dict) -> float:
    """Estimate how long it takes to record these runs."""
    n_starts = len({(run.server, run.boot) for run in runs})
    runs_s = sum(run.seconds + study_plan["before_s"] + OVERHEAD_S for run in runs)
    return (runs_s + n_starts * START_S) / 60


def record_on_server(
    raw: Path,
    study_plan: dict,
    all_resources: dict,
    planned: list[Run],
    runs: list[Run],
    accelerator: str,
    wait_until_idle: bool = False,
) -> bool:
    """Start a server, record runs on it, stop it; True if no run failed or had warnings."""
    is_clean = True
    if wait_until_idle:
        wait_for_low_latency(study_plan["max_memory_latency_ns"])
    resources = all_resources[runs[0].server]
    hardware = runs[0].hardware or servers.list_hardware(resources)
    running = server_lifecycle.start_server(
        runs[0].server, resources, hardware, accelerator=accelerator
    )
    try:
        experiment.warm_up(running, study_plan.get("warm_up_s", 20))
        for number, run in enumerate(runs, 1):
            print_status(f"{run.path} ({number} of {len(runs)} on this start of the server)")
            if not record_with_retry(raw, study_plan, run, running, wait_until_idle):
                is_clean = False
            write_study_manifest(raw, study_plan, all_resources, planned, running["accelerator"])
    finally:
        server_lifecycle.stop_server()
    return is_clean


def wait_for_low_latency(max_latency_ns: float) -> None:
    """Wait until the memory latency is below ``max_latency_ns``."""
    has_waited = False
    while (latency_ns := memory_latency.measure_median_latency_ns()) >= max_latency_ns:
        if not has_waited:
            print_status(
                f"waiting until the machine is idle: memory latency {latency_ns:.0f} ns, limit "
                f"{max_latency_ns:g} ns"
            )
            has_waited = True
        time.sleep(RETRY_INTERVAL_S)
    if has_waited:
        print_status(f"the machine is idle: memory latency {latency_ns:.0f} ns")


def record_with_retry(
    raw: Path, study_plan: dict, run: Run, running: dict, wait_until_idle: bool = False
) -> bool:
    """Record a run, with a second attempt if the first one fails; False if it failed or had warnings.

    With ``wait_until_idle``, the run is postponed as often as the machine exceeds the plan's limits. That is no
    failed attempt. A run that fails twice is skipped.
    """
    attempt = 1
    while attempt <= 2:
        if wait_until_idle:
            wait_for_low_latency(study_plan["max_memory_latency_ns"])
        try:
            return experiment.record_run(
                study_plan["study"],
                run,
                running,
                raw,
                study_plan["before_s"],
                study_plan["after_s"],
                max_idle_cpus=study_plan["max_idle_cpus"] if wait_until_idle else None,
            )
        except experiment.NotIdleError as reason:
            print_status(f"{run.path} is postponed: {reason}")
            time.sleep(RETRY_INTERVAL_S)
        except TestbedError as error:
            print_status(f"{run.path}, attempt {attempt}: {error}")
            attempt += 1
    return False


def print_plan(study_plan: dict, raw: Path) -> int:
    """List the planned runs, with those that are recorded and those that are held out."""
    all_resources = plan.list_resources(study_plan)
    planned = plan.list_runs(study_plan, all_resources)
    held_out = set(plan.list_held_out(study_plan, all_resources))
    missing = [run for run in planned if not is_recorded(raw, study_plan["study"], run)]
    for run in planned:
        state = "-" if run in missing else "recorded"
        print(
            f"{run.path:28} {run.purpose:11} {run.seconds:4} s  {state:9}"
            f"{' held out' if run.path in held_out else ''}{format_cell(run)}"
        )
    print(
        f"{len(planned)} runs, {len(missing)} to record, about "
        f"{estimate_minutes(missing, study_plan):.0f} minutes"
    )
    return 0


def format_cell(run: Run) -> str:
    """Format the block of a run of a designed experiment and its factors' levels; "" for another run."""
    if "levels" not in run.details:
        return ""
    levels = " ".join(f"{factor}={level}" for factor, level in run.details["levels"].items())
    return f" block {run.details['block']}  {levels}"


def record_smoke_run(raw: Path, *, accelerator: str = "auto", seconds: int = 10) -> int:
    """Record a short run with the web guest only, to test the whole chain on this machine."""
    study, server = "smoke", "first"
    run = Run(server, "web-005", "smoke", seconds, {"web": WebLoad(5, "even")})
    if is_recorded(raw, study, run):
        raise TestbedError(f"{raw / study} exists; a recorded run is never changed")
    image_build.build_images(("web",))
    resources = servers.read_server(server)
    hardware = {"web": servers.list_hardware(resources)["web"]}
    running = server_lifecycle.start_server(
        server, resources, hardware, accelerator=accelerator, limit_s=400
    )
    try:
        experiment.warm_up(running, 5)
        is_clean = experiment.record_run(study, run, running, raw, before_s=5, after_s=2)
    finally:
        failures = server_lifecycle.stop_server()
    content = plan.build_study_manifest(
        plan.read_plan(),
        servers.read_servers(),
        running["accelerator"],
        [run],
        time.strftime("%Y-%m-%d", time.gmtime()),
    )
    content.update(
        study=study,
        title="Smoke test: one guest, ten seconds",
        servers={server: content["servers"][server]},
        held_out=[],
        runs={server: content["runs"][server]},
        case_study={"web": run.name},
        virtual_servers={"web": content["virtual_servers"]["web"]},
        workloads={"web": content["workloads"]["web"]},
    )
    (raw / study / "study.json").write_text(json.dumps(content, indent=1) + "\n")
    print_status(f"smoke: {raw / study / server / run.name}")
    return 0 if is_clean and not failures else 1
