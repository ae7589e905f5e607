"""CPU time and memory per run of a fleet of 10, 100 and (``--large``) 1,000 simulated runs.

The runs are made by ``queuevisor simulate`` from demands.json: one virtual server, 15 seconds, 13 files each.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import MB, Cost, Result, markdown, quantity, queuevisor, timed_script

SIZES, LARGE_SIZES = (10, 100), (10, 100, 1000)
PLAN = Path(__file__).with_name("demands.json")
RUNS_OF_PLAN = 10
STUDY = "fleet"
ONE = f"{STUDY}/first/web-05-a"
MAX_GROWTH, MAX_ONE_LEDGER = 1.2, 1.1
MIN_PER_RUN_MS = 0.5
"""A smaller difference of two processes is noise."""
COMPUTING, READING = ("ingest", "ledger"), ("ingest, unchanged", "runs", "ledger, stored")
"""Commands whose time is that of the runs; those whose time is mostly that of the start."""
TIMES = 3
"""Repetitions of a command that computes nothing."""
MAX_FILTER_S, MAX_OPEN_S, MAX_INDEX_MB = 1.0, 2.0, 3.0
INDEX_RUNS = 1000


@dataclass(frozen=True)
class Fleet:
    """What the commands took with a fleet of ``runs`` runs."""

    runs: int
    costs: dict[str, Cost]
    filtered: dict[str, float]


def per_run_ms(name: str, fleets: Sequence[Fleet]) -> tuple[float, float]:
    """CPU milliseconds per further run between the last two sizes, and between the two sizes before; one run is one."""
    points = [(1, fleets[0].costs[f"{name}: one run"].cpu_s)]
    points += [(fleet.runs, fleet.costs[name].cpu_s) for fleet in fleets]
    slopes = [1e3 * (b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points)]
    return slopes[-1], max(slopes[-2], MIN_PER_RUN_MS)


def measure_all(
    folder: Path, *, large: bool, sizes: tuple[int, ...] | None = None
) -> tuple[list[Result], dict[str, str]]:
    """The results, and the tables of docs/benchmarks/fleet.md."""
    fleets = []
    for runs in sizes or (LARGE_SIZES if large else SIZES):
        fleets.append(_measure_fleet(folder / str(runs), runs))
        shutil.rmtree(folder / str(runs))
    results, rows = _compare(fleets), []
    names = list(fleets[0].costs)
    for name in names:
        cells = [
            f"{quantity(f.costs[name].cpu_s, 's')}, {f.costs[name].peak_mb:.0f} MB" for f in fleets
        ]
        rows.append([name, *cells])
    cells = [f"{f.filtered['cpu_s']:.3f} s ({f.filtered['wall_s']:.3f} s wall)" for f in fleets]
    rows.append(["filter on the ledgers of all runs", *cells])
    blocks = {"fleet": markdown(["", *(f"{fleet.runs:,} runs" for fleet in fleets)], rows)}
    index, table = _measure_index(
        folder / "index", fleets[0].runs, INDEX_RUNS if sizes is None else sizes[-1]
    )
    results += index
    required = markdown(measure.HEADINGS, [result.cells() for result in results])
    return results, blocks | {"required": required, "index": table}


def _measure_fleet(folder: Path, runs: int) -> Fleet:
    raw, processed = folder / "raw", folder / "processed"
    raw.mkdir(parents=True)
    options = ("--raw", raw, "--processed", processed)
    costs, copies = {}, max(1, runs // RUNS_OF_PLAN)
    copy = "-a" if copies > 1 else ""
    queuevisor("simulate", raw / STUDY, "--demands", PLAN, "--runs", str(copies))
    one = ONE.removesuffix("-a") + copy

    def cost(*arguments: str, times: int = 1) -> Cost:
        print(f"fleet of {runs:,}: {' '.join(arguments)} …", file=sys.stderr, flush=True)
        every = [queuevisor(*options, *arguments) for _ in range(times)]
        return sorted(every, key=lambda each: each.cpu_s)[times // 2]

    costs["ingest: one run"] = cost("ingest", one)
    shutil.rmtree(processed)
    costs["ingest"] = cost("ingest")
    cost("ingest")  # files younger than two seconds are hashed once more
    costs["ingest, unchanged: one run"] = cost("ingest", one, times=TIMES)
    costs["ingest, unchanged"] = cost("ingest", times=TIMES)
    manifest = raw / one / "run.json"
    manifest.write_text(manifest.read_text() + "\n")
    costs["ingest, one of the runs has changed"] = cost("ingest")
    costs["runs: one run"] = cost("runs", one, times=TIMES)
    costs["runs"] = cost("runs", times=TIMES)
    costs["ledger: one run"] = cost("ledger", one, "--format", "csv")
    costs["ledger"] = cost("ledger", "--format", "csv")
    stored = ("--format", "csv", "--quantity", "R_disk")
    costs["ledger, stored: one run"] = cost("ledger", one, *stored, times=TIMES)
    costs["ledger, stored"] = cost("ledger", *stored, times=TIMES)
    return Fleet(runs, costs, timed_script("fleet/filter_ledgers.py", processed))


def _compare(fleets: Sequence[Fleet]) -> list[Result]:
    """What grows with the fleet: the largest fleet against the smallest."""
    small, large = fleets[0], fleets[-1]
    peer, size = f"{small.runs:,} runs", f"{large.runs:,} runs"
    results = []
    for name in COMPUTING + READING:
        if name in COMPUTING:
            last, before = per_run_ms(name, fleets)
            measured, others = "CPU time per further run", "smaller fleet"
        else:
            last, before = (1e3 * f.costs[name].cpu_s / f.runs for f in (large, small))
            measured, others = "CPU time per run, with the start", peer
        results.append(
            Result(
                f"{name}, {size}: {measured}",
                last,
                others,
                before,
                "ms",
                at_most=MAX_GROWTH,
            )
        )
        peaks = [fleet.costs[name].peak_mb for fleet in (large, small)]
        results.append(
            Result(
                f"{name}, {size}: peak memory", peaks[0], peer, peaks[1], "MB", at_most=MAX_GROWTH
            )
        )
    for name in ("ledger: one run", "ledger, stored: one run"):
        costs = [fleet.costs[name].cpu_s for fleet in (large, small)]
        results.append(
            Result(f"{name} of {size}: CPU time", costs[0], peer, costs[1], at_most=MAX_ONE_LEDGER)
        )
    walls = [fleet.filtered["wall_s"] for fleet in (large, small)]
    what = f"filter on the ledgers of {size}: wall time"
    return [*results, Result(what, walls[0], peer, walls[1], at_most_value=MAX_FILTER_S)]


def _measure_index(folder: Path, few: int, many: int) -> tuple[list[Result], str]:
    script, written = "fleet/index_page.py", {}
    for runs in (few, many):
        written[runs] = timed_script(script, "write", folder / str(runs), runs)
    pages = [folder / str(runs) / "index.html" for runs in (few, many)]
    opened = timed_script(script, "open", *pages)
    rows, results = [], []
    sizes = [written[runs]["bytes"] / MB for runs in (few, many)]
    results.append(
        Result(f"index page of {many:,} runs: size", sizes[1], f"{few:,} runs", sizes[0], "MB",
               at_most_value=MAX_INDEX_MB)
    )  # fmt: skip
    if opened is not None:
        small, large = (opened[str(page.resolve())] for page in pages)
        results.append(
            Result(f"index page of {many:,} runs: opened in Chromium, wall time", large["load"] / 1e3,
                   f"{few:,} runs", small["load"] / 1e3, at_most_value=MAX_OPEN_S)
        )  # fmt: skip
    for runs, page in zip((few, many), pages, strict=True):
        times = None if opened is None else opened[str(page.resolve())]
        rows.append(
            [f"{runs:,}", quantity(written[runs]["cpu_s"], "s"), f"{written[runs]['bytes'] / MB:.3f} MB",
             *(["no Chromium"] * 3 if times is None else
               [f"{times['interactive']:.0f} ms", f"{times['load']:.0f} ms", quantity(times["cpu_s"], "s")])]
        )  # fmt: skip
    headings = [
        "runs",
        "written in",
        "index.html",
        "interactive after",
        "loaded after",
        "CPU time of its process",
    ]
    return results, markdown(headings, rows)
