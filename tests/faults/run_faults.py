"""Damage copies of a short study in every way of the list, run the commands, and judge what became of it.

    python tests/faults/run_faults.py [PATTERN …] [--workers 2] [--table FILE] [--document FILE] [--list]

Each case is a fault (fault_case.Case); the modules beside this one list them by kind. The base study is simulated,
and has one recorded run. Outcomes: fault_case. Exit code: 1 if a number changed without a mark, a command did not
end, or a message is no line; 0 otherwise.
"""

import argparse
import os
import queue
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import damaged_logs
import damaged_manifests
import damaged_tables
import fault_document
import file_types
import full_disk
import killed
import permissions
import planted_text
from fault_case import ERROR, Case, Outcome, remove_tree, restore_rights
from fault_judge import Ledger, Row, judge, read_ledger, run_of, same_values
from fault_study import RUNS, make_copy, write_base
from fault_worker import Worker, run_command

MODULES = (
    damaged_logs,
    damaged_manifests,
    damaged_tables,
    file_types,
    permissions,
    killed,
    full_disk,
    planted_text,
)
LEDGER = ("ledger", "--format", "csv")
MUST_NOT = ("A", "B", "C", "list")
STRIDE = 7919
"""A prime: the order of cases is the same each time."""


def all_cases() -> list[Case]:
    """Every case, by module."""
    return [case for module in MODULES for case in module.cases()]


class CasesOf:
    """The cases of a base study, run in this process.

    Without ``check_lost`` nothing is compared with the ledger of a run without the damaged file, which takes as long as
    a case.
    """

    def __init__(self, base: Path, folder: Path, *, check_lost: bool = True):
        self._base, self._folder, self._check_lost = base, folder, check_lost
        self._cases = all_cases()
        self._independent: dict[tuple[str, str], set[Row]] = {}

    @cached_property
    def expected(self) -> Ledger:
        """The ledger of the undamaged study."""
        return read_ledger((self._base / "ledger.csv").read_text())

    def run(self, number: int) -> Outcome:
        """The outcome of the case of that number."""
        return self.run_case(self._cases[number], f"{number:04d}")

    def run_case(self, case: Case, name: str) -> Outcome:
        """The outcome of a case on a fresh copy in a folder of that name."""
        independent = self._independent_of(case)
        folder = self._folder / name
        copy = make_copy(
            self._base, folder, case.run_id, others=case.others, ingested=case.ingested
        )
        try:
            case.damage(copy)
            started = time.process_time()
            if case.program is not None:
                return case.program(copy)
            done = [run_command(folder, arguments) for arguments in case.commands]
            cpu_s = time.process_time() - started
            restore_rights(folder)
            runs = RUNS if case.others else (case.run_id,)
            expected = {r: v for r, v in self.expected.items() if run_of(r) in runs}
            outcome = judge(case, done, expected, independent & expected.keys(), copy)
            return Outcome(outcome.case, outcome.group, outcome.outcome, outcome.detail, cpu_s)
        except Exception:
            return Outcome(case.name, case.group, ERROR, traceback.format_exc()[-1000:])
        finally:
            remove_tree(folder)

    def _independent_of(self, case: Case) -> set[Row]:
        """Rows that do not depend on the damaged file: the other runs', and those of a run without the file."""
        others = {row for row in self.expected if run_of(row) != case.run_id}
        is_part = "/" in case.file and case.file.endswith((".log", "/facts.json"))
        if not (is_part and self._check_lost):
            return others
        key = (case.run_id, case.file)
        if key not in self._independent:
            folder = self._folder / f"without-{os.getpid()}"
            copy = make_copy(self._base, folder, case.run_id, others=False, ingested=False)
            (copy.log(case.file) if case.file.endswith(".log") else copy.run / case.file).unlink()
            ledger = read_ledger(run_command(folder, LEDGER).stdout)
            remove_tree(folder)
            self._independent[key] = {
                row
                for row, value in self.expected.items()
                if run_of(row) == case.run_id and same_values(ledger.get(row), value)
            }
        return others | self._independent[key]


def prepare(base: Path, runs: tuple[str, ...] = RUNS) -> None:
    """Write the base study, its tables and its ledger."""
    write_base(base, runs)
    (base / "processed").mkdir()
    (base / "tmp").mkdir()
    for arguments in (("ingest",), LEDGER):
        done = run_command(base, arguments)
        if done.code != 0:
            sys.exit(f"the undamaged study: {arguments[0]} ends with {done.code}: {done.stderr}")
    (base / "ledger.csv").write_text(done.stdout)


def _prepare_in_process(base: Path) -> None:
    """``prepare`` in a process of its own: this one stays small."""
    import multiprocessing

    process = multiprocessing.get_context("spawn").Process(target=prepare, args=(base,))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


def run_all(
    numbers: list[int],
    cases: list[Case],
    base: Path,
    folder: Path,
    workers: int,
    report: Callable[[list[Outcome]], None],
) -> list[Outcome]:
    """The outcomes of the cases of those numbers, by ``workers`` processes, with progress on standard error.

    Every 25 cases ``report`` gets the outcomes so far. Cases of a kind are spread over the whole time.
    """
    waiting: queue.Queue[int] = queue.Queue()
    for number in sorted(numbers, key=lambda n: (cases[n].without_rights, n * STRIDE % len(cases))):
        waiting.put(number)
    outcomes: dict[int, Outcome] = {}
    lock = threading.Lock()
    started = time.monotonic()

    def serve() -> None:
        worker = Worker(base, folder)
        try:
            while True:
                try:
                    number = waiting.get_nowait()
                except queue.Empty:
                    return
                outcome = worker.run(number, cases[number])
                with lock:
                    outcomes[number] = outcome
                    _show(outcome, len(outcomes), len(numbers), time.monotonic() - started)
                    if len(outcomes) % 25 == 0:
                        report(list(outcomes.values()))
        finally:
            worker.stop()

    threads = [threading.Thread(target=serve) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[number] for number in sorted(outcomes)]


def _show(outcome: Outcome, done: int, total: int, passed_s: float) -> None:
    """One line of a failure, and every 25 cases how far it is."""
    if outcome.is_failure:
        print(f"{outcome.outcome:<12} {outcome.case}: {outcome.detail}"[:400], flush=True)
    if done % 25 == 0 or done == total:
        print(f"{done} of {total} cases, {passed_s:.0f} s", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Try every fault, and write docs/reliability.md.", fromfile_prefix_chars="@"
    )
    parser.add_argument(
        "pattern",
        nargs="*",
        help="only cases of that name or pattern, e.g. 'log/cut/*'; @FILE: one per line",
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--table", type=Path, help="write the outcomes as a table separated by tabs"
    )
    parser.add_argument("--document", type=Path, help="write docs/reliability.md (all cases only)")
    parser.add_argument("--list", action="store_true", help="list the cases")
    arguments = parser.parse_args()
    cases = all_cases()
    numbers = [
        n for n, case in enumerate(cases)
        if not arguments.pattern or any(p == case.name or fnmatchcase(case.name, p) for p in arguments.pattern)
    ]  # fmt: skip
    if arguments.list:
        print("\n".join(f"{cases[n].group}  {cases[n].name}" for n in numbers))
        return 0
    started = time.monotonic()

    def report(outcomes: list[Outcome]) -> None:
        if arguments.table:
            arguments.table.write_text(fault_document.as_table(outcomes))

    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        _prepare_in_process(folder / "base")
        outcomes = run_all(numbers, cases, folder / "base", folder, arguments.workers, report)
    print(fault_document.summary(outcomes, time.monotonic() - started))
    report(outcomes)
    if arguments.document:
        arguments.document.write_text(fault_document.as_document(outcomes, len(cases)))
    return int(any(outcome.failed_group in MUST_NOT for outcome in outcomes if outcome.is_failure))


if __name__ == "__main__":
    sys.exit(main())
