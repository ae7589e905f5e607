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
MAX_HELP_S, MAX_IMPORT_S, MAX_LEDGER_S, MAX_UNCHANGED_S, MAX_UNCHANGED_REPORT_S = (
    0.25,
    0.3,
    1.2,
    0.7,
    5,
)
"""CPU seconds, on a machine where ``queuevisor --help`` of before takes 1.0 s; see the ratios on another one."""
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
        *(_whole_study() if whole_study else ()),
        *(_two_workers(folder) if whole_study else ()),
        *(_report(folder, tree) if large else ()),
    ]
    return results, {"commands": measure.markdown(measure.HEADINGS, [r.cells() for r in results])}


def _start(tree: Path, times: int) -> Iterator[Result]:
    """Python's start, imports, and the printing of a help text."""
    for what, command, limit_s in (
        ("queuevisor --help", [sys.executable, "-m", "pipeline.cli", "--help"], MAX_HELP_S),
        ("import pipeline", IMPORT, MAX_IMPORT_S),
    ):
        pair = in_turns(
            lambda c=command: run(c).cpu_s, lambda c=command: run(c, tree=tree).cpu_s, times
        )
        yield _against_before(what, pair, limit_s)


def _against_before(
    what: str, pair: measure.Pair, limit_s: float | None = None, at_most: float | None = None
) -> Result:
    return Result(
        f"{what}: CPU time", pair.ours, f"the same before ({measure.BEFORE})", pair.theirs,
        noise=pair.noise, at_most=at_most, at_most_value=limit_s,
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
    yield _against_before("ledger of one ingested run, computed", pair, MAX_LEDGER_S)
    pair = in_turns(lambda: ledger(ours, ROOT), lambda: ledger(before, tree), times)
    yield _against_before("ledger of one ingested run, stored", pair, MAX_LEDGER_S)


def _whole_study() -> Iterator[Result]:
    """The recorded study in data/processed, which is brought up to date first."""
    options = ("--raw", RAW, "--processed", PROCESSED)
    queuevisor(*options, "ingest", STUDY)
    queuevisor(*options, "ingest", STUDY)
    pair = in_turns(
        lambda: queuevisor(*options, "ingest", STUDY).cpu_s, lambda: run(IMPORT).cpu_s, 3
    )
    yield Result(
        "ingest, 160 unchanged runs: CPU time", pair.ours, "import pipeline", pair.theirs, noise=pair.noise,
        at_most_value=MAX_UNCHANGED_S,
    )  # fmt: skip


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

    def report(code: Path, name: str, *more: str) -> float:
        options = ("--raw", RAW, "--processed", folder / name)
        cost = queuevisor(*options, "report", "--out", folder / f"{name}-pages", *more, tree=code)
        return cost.cpu_s

    for name, code in (("report", ROOT), ("report-before", tree)):
        queuevisor("--raw", RAW, "--processed", folder / name, "ingest", STUDY, tree=code)
    pair = in_turns(lambda: report(ROOT, "report"), lambda: report(tree, "report-before"), 1)
    yield _against_before("report, every page", pair, at_most=MAX_REPORT)
    unchanged_s = report(ROOT, "report")
    yield Result(
        "report, unchanged: CPU time",
        unchanged_s,
        "every page",
        pair.ours,
        at_most_value=MAX_UNCHANGED_REPORT_S,
    )
