"""CPU time of commands on the recorded study: start, ingest, ledger, and with ``--large`` the report.

The peer is the same command by the code of ``measure.BEFORE``, in turns with ours.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import ROOT, Result, in_turns, queuevisor, run, timed_script

RAW = ROOT / "data" / "raw"
PROCESSED = ROOT / "data" / "processed"
STUDY = "kvm-case-study"
ONE = f"{STUDY}/first/db-16-a"
SOME = f"{STUDY}/first/web-0*"
"""Runs that two workers ingest."""
LIMITS_S = {"help": (0.25, 1.0), "ledger": (1.2, 2.1), "unchanged": (0.7, 1.25)}
"""Command → its limit, and what the code before took, in CPU seconds of the machine on which the limits were set."""
MAX_IMPORT_S, MAX_UNCHANGED_REPORT_S = 0.3, 5
MAX_INGEST, MAX_REPORT, MIN_TWO_WORKERS = 0.6, 0.5, 1.7
IMPORT = [sys.executable, "-c", "import pipeline"]


def measure_all(
    folder: Path, *, large: bool, times: int = 5, whole_study: bool = True
) -> tuple[list[Result], dict[str, str]]:
    """The results, and the table of docs/benchmarks/commands.md."""
    tree = measure.tree_before()
    if tree is None:
        return [], {}
    results = [
        *_start(tree, times),
        *_one_run(folder, tree, times),
        *(_whole_study(tree) if whole_study else ()),
        *(_two_workers(folder) if whole_study else ()),
        *(_report(folder, tree) if large else ()),
    ]
    return results, {"commands": measure.markdown(measure.HEADINGS, [r.cells() for r in results])}


def _start(tree: Path, times: int) -> Iterator[Result]:
    """Python's start, imports, and the printing of a help text."""
    for what, command, limit in (
        ("queuevisor --help", [sys.executable, "-m", "pipeline.cli", "--help"], {"limit": "help"}),
        ("import pipeline", IMPORT, {"at_most_value": MAX_IMPORT_S}),
    ):
        pair = in_turns(
            lambda c=command: run(c).cpu_s, lambda c=command: run(c, tree=tree).cpu_s, times
        )
        yield _against_before(what, pair, **limit)


def _against_before(
    what: str, pair: measure.Pair, *, limit: str | None = None, **limits: float
) -> Result:
    """Compared with the code before; ``limit``: a command of ``LIMITS_S``, whose ratio is required."""
    limit_from = ""
    if limit is not None:
        limit_s, before_s = LIMITS_S[limit]
        limits["at_most"] = limit_s / before_s
        limit_from = f"{limit_s:g} s of {before_s:g} s"
    return Result(
        f"{what}: CPU time", pair.ours, f"the same before ({measure.BEFORE})", pair.theirs,
        noise=pair.noise, limit_from=limit_from, **limits,
    )  # fmt: skip


def _one_run(folder: Path, tree: Path, times: int) -> Iterator[Result]:
    """One recorded run: ingested again, its ledger computed, its ledger read."""
    ours, before = folder / "ours", folder / "before"

    def ingest(processed: Path, code: Path) -> float:
        return timed_script("commands/time_ingest.py", RAW, ONE, processed, times, tree=code)[
            "cpu_s"
        ]

    def ledger(processed: Path, code: Path) -> float:
        cost = queuevisor(
            "--raw", RAW, "--processed", processed, "ledger", ONE, "--format", "csv", tree=code
        )
        return cost.cpu_s

    def computed() -> float:
        for name in (".results", "ledger"):
            shutil.rmtree(ours / name, ignore_errors=True)
        return ledger(ours, ROOT)

    pair = in_turns(lambda: ingest(ours, ROOT), lambda: ingest(before, tree), 2)
    yield _against_before("ingest of one recorded run, without the start", pair, at_most=MAX_INGEST)
    pair = in_turns(computed, lambda: ledger(before, tree), times)
    yield _against_before("ledger of one ingested run, computed", pair, limit="ledger")
    pair = in_turns(lambda: ledger(ours, ROOT), lambda: ledger(before, tree), times)
    yield _against_before("ledger of one ingested run, stored", pair, limit="ledger")


def _whole_study(tree: Path) -> Iterator[Result]:
    """The recorded study in data/processed and in that of the code before, which are brought up to date first."""
    folders = {ROOT: PROCESSED, tree: _processed_before(tree)}

    def ingest(code: Path) -> float:
        options = ("--raw", RAW, "--processed", folders[code])
        return queuevisor(*options, "ingest", STUDY, tree=code).cpu_s

    for code in (ROOT, ROOT, tree):  # files younger than two seconds are hashed once more
        ingest(code)
    pair = in_turns(lambda: ingest(ROOT), lambda: ingest(tree), 3)
    yield _against_before("ingest, 160 unchanged runs", pair, limit="unchanged")


def _processed_before(tree: Path) -> Path:
    """Tables of the recorded study by the code before, which are kept: that code takes minutes for them."""
    folder = ROOT / "build" / f"processed-{measure.BEFORE}"
    if not folder.is_dir():
        print(f"commands: ingest by the code before, into {folder} …", file=sys.stderr, flush=True)
    queuevisor("--raw", RAW, "--processed", folder, "ingest", STUDY, tree=tree)
    return folder


def _two_workers(folder: Path) -> Iterator[Result]:
    """Wall time, as two processes are to share the work."""

    def ingest(workers: int) -> float:
        shutil.rmtree(folder / "workers", ignore_errors=True)
        options = ("--raw", RAW, "--processed", folder / "workers")
        return queuevisor(*options, "ingest", SOME, "--workers", str(workers)).wall_s

    pair = in_turns(lambda: ingest(2), lambda: ingest(1), 1)
    yield Result(
        f"ingest of {SOME.rpartition('/')[2]}, 2 workers: wall time", pair.ours, "1 worker", pair.theirs,
        at_least=MIN_TWO_WORKERS,
    )  # fmt: skip


def _report(folder: Path, tree: Path) -> Iterator[Result]:
    """The whole report, anew and unchanged, with the tables ingested before."""
    folders = {ROOT: folder / "report", tree: _processed_before(tree)}

    def report(code: Path) -> float:
        options = ("--raw", RAW, "--processed", folders[code])
        pages = folder / f"pages-{'ours' if code == ROOT else 'before'}"
        return queuevisor(*options, "report", "--out", pages, tree=code).cpu_s

    queuevisor("--raw", RAW, "--processed", folders[ROOT], "ingest", STUDY)
    pair = in_turns(lambda: report(ROOT), lambda: report(tree), 1)
    yield _against_before("report, every page", pair, at_most=MAX_REPORT)
    unchanged_s = report(ROOT)
    yield Result(
        "report, unchanged: CPU time",
        unchanged_s,
        "every page",
        pair.ours,
        at_most_value=MAX_UNCHANGED_REPORT_S,
    )
