"""Plans of designed experiments: the factors, their levels in each cell, and the runs in the order of recording.

A cell is a combination of levels. Its guests are started once and serve one run of each experiment: a run measures
one guest, the other guest is its neighbour.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from . import TestbedError
from .guests import GUESTS
from .qemu import Hardware
from .runs import SAFE_NAME, DatabaseLoad, Run, WebLoad

KEYS = (
    "study",
    "title",
    "seconds",
    "before_s",
    "after_s",
    "warm_up_s",
    "cpus",
    "cpu_period_us",
    "disk",
    "servers",
    "factors",
    "experiments",
    "blocks",
)


def list_resources(plan: dict) -> dict[str, dict]:
    """Return the resources of each server. Memory is not among them: it may differ from cell to cell."""
    return {
        name: {
            "title": server["title"],
            "cpus": plan["cpus"],
            "cpu_quota": server["cpu_quota"],
            "cpu_period_us": plan["cpu_period_us"],
            "disk": plan["disk"],
        }
        for name, server in plan["servers"].items()
    }


def list_runs(plan: dict) -> list[Run]:
    """List the runs in the order of recording: block by block, cell by cell, in each cell the run of the guest
    ``first`` first."""
    runs: list[Run] = []
    replicates: Counter[int] = Counter()
    for block, cells in enumerate(plan["blocks"], 1):
        for cell in cells:
            number, levels = cell["cell"], cell["levels"]
            replicates[number] += 1
            replicate = replicates[number]
            own_levels = {
                name: {factor: levels[factor] for factor in list_factors(experiment)}
                for name, experiment in plan["experiments"].items()
            }
            hardware = {name: build_hardware(own_levels[name]) for name in plan["experiments"]}
            for name in sorted(plan["experiments"], key=lambda name: name != cell["first"]):
                runs.append(
                    Run(
                        find_server(plan, levels),
                        f"{name}-{number:02d}-{replicate}",
                        "factors",
                        plan["seconds"],
                        build_loads(plan["experiments"][name], own_levels[name]),
                        hardware,
                        f"cell {number:02d}, replicate {replicate}",
                        {
                            "virtual_server": plan["experiments"][name]["virtual_server"],
                            "block": block,
                            "order": len(runs) + 1,
                            "replicate": replicate,
                            "cell": number,
                            "levels": own_levels[name],
                        },
                    )
                )
    return runs


def list_factors(experiment: dict) -> list[str]:
    """List the factors of an experiment: those of the full design, then the generated ones."""
    return [*experiment["base"], *experiment["generators"]]


def find_server(plan: dict, levels: dict) -> str:
    """Find the server with the CPU quota of a cell."""
    return next(
        name
        for name, server in plan["servers"].items()
        if server["cpu_quota"] == levels["cpu_quota"]
    )


def build_hardware(levels: dict) -> Hardware:
    """Build the hardware of a guest in a cell; ``levels`` are those of its own experiment."""
    return Hardware(
        memory_bytes=levels.get("memory_mib", 512) << 20,
        vcpus=levels.get("vcpus", 1),
        device=levels.get("device", "virtio-blk"),
        cache=levels.get("cache", "none"),
        aio=levels.get("aio", "threads"),
        iothread=levels.get("iothread", "none") == "own",
    )


def build_loads(experiment: dict, levels: dict) -> dict[str, WebLoad | DatabaseLoad]:
    """Build the loads of a run: that of the measured guest, and that of a loaded neighbour."""
    guest = experiment["virtual_server"]
    settings = {guest: experiment["load"][levels["load"]]}
    if levels["neighbour"] == "loaded":
        settings |= experiment["neighbour"]
    arrivals = {guest: levels.get("arrivals", "even")}
    return {
        name: DatabaseLoad(load["threads"])
        if "threads" in load
        else WebLoad(load["rate"], arrivals.get(name, "even"))
        for name, load in settings.items()
    }


def check(plan: dict, path: Path) -> None:
    """Check that the levels of each cell are levels of the factors, and that the generators hold.

    Raises
    ------
    TestbedError
        The message names the file and the cell.
    """
    for name in plan["servers"]:
        if not SAFE_NAME.match(name):
            raise TestbedError(f"{path}: servers: {name!r} is no safe name of a folder")
    for name, experiment in plan["experiments"].items():
        if experiment["virtual_server"] != name or name not in GUESTS:
            raise TestbedError(
                f"{path}: experiments.{name}: the name and virtual_server must be the same, "
                f"{' or '.join(GUESTS)}"
            )
    quotas = {server["cpu_quota"] for server in plan["servers"].values()}
    for block, cells in enumerate(plan["blocks"], 1):
        for cell in cells:
            place = f"{path}: block {block}, cell {cell['cell']}"
            if cell["first"] not in plan["experiments"]:
                raise TestbedError(f"{place}: first: no experiment {cell['first']!r}")
            if cell["levels"]["cpu_quota"] not in quotas:
                raise TestbedError(f"{place}: no server with this cpu_quota")
            for factor, entry in plan["factors"].items():
                if cell["levels"].get(factor) not in entry["levels"]:
                    raise TestbedError(f"{place}: no level of factor {factor!r} of the plan")
            signs = compute_signs(plan, cell["levels"])
            for name, experiment in plan["experiments"].items():
                for factor, base in experiment["generators"].items():
                    if signs[factor] != math.prod(signs[other] for other in base):
                        raise TestbedError(
                            f"{place}: {factor} is not the product of {', '.join(base)}, its "
                            f"generator in the experiment {name!r}"
                        )


def compute_signs(plan: dict, levels: dict) -> dict[str, int]:
    """Compute the sign of each factor in a cell: −1 for its first level, 1 for its second."""
    return {
        factor: 2 * entry["levels"].index(levels[factor]) - 1
        for factor, entry in plan["factors"].items()
    }
