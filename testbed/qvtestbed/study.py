"""Record the study: every planned run that is not there yet, a server at a time."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from . import experiment, image_build, memory_latency, paths, server_lifecycle
from . import plan as plans
from .console import say
from .paths import TestbedError
from .plan import Run, WebLoad

QUIET_EVERY_S = 15.0
"""How often a machine that is not quiet is looked at again."""


def is_there(raw: Path, study: str, run: Run) -> bool:
    """Has this run been recorded?"""
    return (raw / study / run.server / run.name / "run.json").exists()


def write_study(
    raw: Path, plan: dict, envelopes: dict, planned: list[Run], accelerator: str
) -> None:
    """Write study.json anew: the runs that are there; the first day of recording stays."""
    path = raw / plan["study"] / "study.json"
    date = time.strftime("%Y-%m-%d", time.gmtime())
    if path.exists():
        date = paths.read_json(path).get("recorded", date)
    recorded = [run for run in planned if is_there(raw, plan["study"], run)]
    content = plans.study_json(plan, envelopes, accelerator, recorded, date)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(".study.json.partial")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.rename(path)


def record_some(
    plan: dict,
    raw: Path,
    pattern: str | None = None,
    *,
    wanted: str = "auto",
    exactly: bool = False,
    quiet: bool = False,
) -> int:
    """Record the planned runs that match and are not there; exit code 0, or 1 with remarks.

    ``quiet``: begin a run only while the machine is as quiet as the plan asks for, and its load only if the
    before-state is.
    """
    envelopes = paths.envelopes()
    planned = plans.runs(plan, list(envelopes))
    try:
        chosen = [
            run
            for run in planned
            if pattern is None
            or (run.path == pattern if exactly else re.fullmatch(pattern, run.path))
        ]
    except re.error as error:
        raise TestbedError(f"--only {pattern!r}: {error}") from None
    if not chosen:
        raise TestbedError(f"no planned run matches {pattern!r}; `testbed.py plan` lists them")
    todo = [run for run in chosen if not is_there(raw, plan["study"], run)]
    if exactly and not todo:
        raise TestbedError(f"{pattern} is there already; a raw run is never changed")
    say(
        f"{len(chosen) - len(todo)} of {len(chosen)} runs are there, {len(todo)} to record, "
        f"about {minutes(todo, plan):.0f} minutes"
    )
    if not todo:
        return 0
    image_build.build()
    remarks = 0
    for name in envelopes:
        mine = [run for run in todo if run.server == name]
        if mine:
            remarks += record_server(raw, plan, envelopes, planned, mine, wanted, quiet)
    return 1 if remarks else 0


def minutes(todo: list[Run], plan: dict) -> float:
    """How long it will take: before-state, load, and about 25 s around each run."""
    servers = len({run.server for run in todo})
    return (sum(run.seconds + plan["before_s"] + 25 for run in todo) + servers * 90) / 60


def record_server(
    raw: Path,
    plan: dict,
    envelopes: dict,
    planned: list[Run],
    mine: list[Run],
    wanted: str,
    quiet: bool = False,
) -> int:
    """Put the server up, record its runs, take it down; returns how many had remarks."""
    remarks = 0
    if quiet:
        wait_until_quiet(plan["quiet_ns"])
    found = server_lifecycle.up(mine[0].server, wanted=wanted)
    try:
        experiment.warm_up(found)
        for number, run in enumerate(mine, 1):
            say(f"{run.path} ({number} of {len(mine)} on this server)")
            if not record_twice(raw, plan, run, found, quiet):
                remarks += 1
            write_study(raw, plan, envelopes, planned, found["accelerator"])
    finally:
        server_lifecycle.down()
    return remarks


def wait_until_quiet(most_ns: float) -> None:
    """Return as soon as a walk through memory takes less than ``most_ns`` a step: no run's outcome is looked at."""
    waited = False
    while (found := memory_latency.now_ns()) >= most_ns:
        if not waited:
            say(f"waiting for a quiet machine: {found:.0f} ns a step of a walk, {most_ns:g} wanted")
            waited = True
        time.sleep(QUIET_EVERY_S)
    if waited:
        say(f"quiet: {found:.0f} ns a step")


def record_twice(raw: Path, plan: dict, run: Run, found: dict, quiet: bool = False) -> bool:
    """Record a run, once more if it fails; a run that fails twice does not stop the others.

    ``quiet``: put off as often as the machine is too slow."""
    attempt = 1
    while attempt <= 2:
        if quiet:
            wait_until_quiet(plan["quiet_ns"])
        try:
            return experiment.record(
                plan["study"],
                run,
                found,
                raw,
                plan["before_s"],
                plan["after_s"],
                most_idle_cpus=plan["quiet_idle_cpus"] if quiet else None,
            )
        except experiment.NotQuietError as why:
            say(f"{run.path} is put off: {why}")
            time.sleep(QUIET_EVERY_S)
        except TestbedError as error:
            say(f"{run.path}, attempt {attempt}: {error}")
            attempt += 1
    return False


def show(plan: dict, raw: Path) -> int:
    """List the plan."""
    envelopes = paths.envelopes()
    planned = plans.runs(plan, list(envelopes))
    out = set(plans.held_out(plan, list(envelopes)))
    for run in planned:
        there = "recorded" if is_there(raw, plan["study"], run) else "-"
        print(
            f"{run.path:28} {run.purpose:11} {run.seconds:4} s  {there:9}"
            f"{' held out' if run.path in out else ''}"
        )
    missing = [run for run in planned if not is_there(raw, plan["study"], run)]
    print(
        f"{len(planned)} runs, {len(missing)} to record, about {minutes(missing, plan):.0f} minutes"
    )
    return 0


def smoke(raw: Path, *, wanted: str = "auto", seconds: int = 10) -> int:
    """One guest, ten seconds, everything down again: does the whole line work here?"""
    study, name = "smoke", "first"
    run = Run(name, "web-005", "smoke", seconds, {"web": WebLoad(5, "even")})
    if is_there(raw, study, run):
        raise TestbedError(f"{raw / study} is there already; a raw run is never changed")
    image_build.build(("web",))
    found = server_lifecycle.up(name, ("web",), wanted=wanted, limit_s=400)
    try:
        experiment.warm_up(found, 5)
        good = experiment.record(study, run, found, raw, before_s=5, after_s=2)
    finally:
        failures = server_lifecycle.down()
    content = plans.study_json(
        plans.load(),
        paths.envelopes(),
        found["accelerator"],
        [run],
        time.strftime("%Y-%m-%d", time.gmtime()),
    )
    content.update(
        study=study,
        title="Smoke test: one guest, ten seconds",
        servers={name: content["servers"][name]},
        held_out=[],
        runs={name: content["runs"][name]},
        case_study={"web": run.name},
        virtual_servers={"web": content["virtual_servers"]["web"]},
        workloads={"web": content["workloads"]["web"]},
    )
    (raw / study / "study.json").write_text(json.dumps(content, indent=1) + "\n")
    say(f"smoke: {raw / study / name / run.name}")
    return 0 if good and not failures else 1
