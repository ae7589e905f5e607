"""Plans that list their runs: which guests are started together, and the runs on them in the order of recording.

The guests are named after their image, with a number if there are several: web1, web2.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from . import TestbedError, servers
from .guests import NAME, get_image
from .runs import SAFE_NAME, DatabaseLoad, Run, WebLoad

KEYS = ("study", "title", "seconds", "before_s", "after_s", "warm_up_s", "server", "starts")


def list_guests(plan: dict) -> list[str]:
    """List the guests of a plan, each once."""
    return list(dict.fromkeys(guest for start in plan["starts"] for guest in start["guests"]))


def list_resources(plan: dict) -> dict[str, dict]:
    """Return the resources of the plan's server, a server of servers.json; a guest has its image's memory."""
    resources = servers.read_server(plan["server"])
    memory_bytes = {
        guest: resources["memory_bytes"][get_image(guest)] for guest in list_guests(plan)
    }
    return {plan["server"]: {**resources, "memory_bytes": memory_bytes}}


def list_runs(plan: dict) -> list[Run]:
    """List the runs in the order of the plan."""
    resources = list_resources(plan)[plan["server"]]
    hardware = servers.list_hardware(resources)
    runs: list[Run] = []
    for number, start in enumerate(plan["starts"], 1):
        for entry in start["runs"]:
            runs.append(
                Run(
                    plan["server"],
                    entry["name"],
                    entry["purpose"],
                    plan["seconds"],
                    {guest: build_load(load) for guest, load in entry["loads"].items()},
                    {guest: hardware[guest] for guest in start["guests"]},
                    f"start {number}",
                    {"replicate": entry["replicate"], "order": len(runs) + 1},
                )
            )
    return runs


def build_load(load: dict) -> WebLoad | DatabaseLoad:
    """Build a load from its entry in the plan."""
    if "threads" in load:
        return DatabaseLoad(load["threads"])
    return WebLoad(load["rate"], load.get("arrivals", "even"))


def check(plan: dict, path: Path) -> None:
    """Check the names of guests and runs, and that each load belongs to a started guest.

    Raises
    ------
    TestbedError
        The message names the file and the run.
    """
    names: Counter[str] = Counter()
    for start in plan["starts"]:
        for guest in start["guests"]:
            if not NAME.fullmatch(guest):
                raise TestbedError(
                    f"{path}: guest {guest!r}: must be web or db, or one of these with a digit "
                    "from 1 to 9"
                )
        for entry in start["runs"]:
            names[entry["name"]] += 1
            place = f"{path}: run {entry['name']!r}"
            if not SAFE_NAME.match(entry["name"]):
                raise TestbedError(f"{place} is no safe name of a folder")
            if names[entry["name"]] > 1:
                raise TestbedError(f"{place} is planned twice")
            for guest, load in entry["loads"].items():
                if guest not in start["guests"]:
                    raise TestbedError(f"{place}: guest {guest!r} is not started")
                key = "rate" if get_image(guest) == "web" else "threads"
                if key not in load:
                    raise TestbedError(f"{place}: the load of {guest!r} has no {key!r}")
