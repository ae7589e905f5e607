"""Benchmarks that are scripts of their own: the network solver, the testbed's disk, the collectors."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, BenchmarkError, Result, run


def _run_script(name: str, folder: Path, *arguments: str) -> tuple[Any, str]:
    """What a script writes with ``--json FILE``, and the tables that it prints; 1: a limit is exceeded."""
    values = folder / "values.json"
    command = [sys.executable, ROOT / "benchmarks" / name, "--json", values, *arguments]
    cost = run(command, accept=(0, 1))
    if not values.exists():  # not a limit, but an error
        raise BenchmarkError(f"{name}: no result")
    tables = re.split(r"\n\n(?:Limits|Required): ", cost.output[cost.output.index("|") :])[
        0
    ].strip()
    return json.loads(values.read_text()), tables


def measure_network(folder: Path, *, large: bool) -> tuple[list[Result], dict[str, str]]:
    """Networks that are not solved exactly; with ``large`` the solver against LINE and Octave."""
    rows, tables = _run_script("network/large.py", folder)
    name, row = max(rows.items(), key=lambda item: item[1]["ratio"])
    results = [
        Result(f"solve: {name}, a billion customers: CPU time", 1e3 * row["many_s"], f"{row['few']:,} customers",
               1e3 * row["few_s"], "ms", at_most=2)
    ]  # fmt: skip
    blocks = {"network-large": tables}
    if large:
        values, blocks["network-peers"] = _run_script("network/run.py", folder)
        limits = {"line": {"one": 1, "two": 50}, "octave": {"open": 1000}}
        for peer, cases in limits.items():
            for case, at_least in cases.items():
                if not values.get(peer):
                    continue
                ours = max(values["ours"][when][case]["seconds"] for when in ("before", "after"))
                theirs = values[peer][case]["seconds"]
                results.append(
                    Result(f"solve: {case}: CPU time", ours, peer, theirs, at_least=at_least)
                )
    return results, blocks


def measure_testbed(folder: Path, *, large: bool) -> tuple[list[Result], dict[str, str]]:
    """The emulated disk against pread and against sleeps."""
    times, tables = _run_script("testbed/paced_disk.py", folder)
    us = 1e6 / 1000
    return [
        Result("paced disk, a read without delay: CPU time", us * times["requests_s"], "pread",
               us * times["pread_s"], "µs", at_most=10),
        Result("paced disk, a read with delay: wall time", us * times["delayed_s"], "sleep",
               us * times["sleeps_s"], "µs", at_most=1.1),
    ], {"testbed": tables}  # fmt: skip


def measure_collectors(folder: Path, *, large: bool) -> tuple[list[Result], dict[str, str]]:
    """The collectors against top and iotop: with ``large``, as root, ten minutes."""
    if not large or os.geteuid() != 0:
        return [], {}
    command = [
        sys.executable,
        ROOT / "benchmarks" / "collectors" / "run.py",
        "--json",
        "--seconds",
        "40",
    ]
    values = json.loads(run(command).output)
    totals = {
        kind: sorted(
            sum(values[kind].get(name, [0] * 9)[turn] for name in ("top", "iotop", "sampler"))
            * 60
            / 1e9
            for turn in range(len(values[kind]["top"]))
        )
        for kind in ("tools", "all")
    }
    ours, theirs = (each[len(each) // 2] for each in (totals["all"], totals["tools"]))
    noise = (totals["tools"][-1] - totals["tools"][0]) / theirs
    return [
        Result("collectors, 600 tasks: CPU time per minute", ours, "top and iotop alone", theirs, noise=noise,
               at_most=1.3)
    ], {}  # fmt: skip
