"""Fuzz the parsers with damaged logs: ``make fuzz``.

    python tests/parse/fuzz.py [KIND …] [--inputs N] [--seconds S] [--seed 1] [--found FOLDER]
    python tests/parse/fuzz.py KIND --seed 1 --round 1234      repeat one round

A round has 200 inputs, each a golden log or an excerpt of one with random damage (``damage.py``): 4 are parsed
alone, one of them compressed; 196 are parsed as one concatenated log with all checks of the tables. If that log is
refused or fails, it is halved until the failing part is isolated. Without ``--seconds``, every golden log is then
truncated at every byte and parsed: 56,000 more inputs.

A parser may read a line, reject it, or refuse the log with a ``ParseError``. Anything else is a failure: another
exception, lines without accounting, a row from a rejected line, a line that was read without a row. It is printed
with the command that repeats it, and its input is kept in FOLDER. Exit code: 0 without failures, 1 otherwise.
"""

import argparse
import gc
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault(
    "POLARS_MAX_THREADS", "1"
)  # small logs: threads would only wait for each other

import damage
from golden import goldens, options
from invariants import Outcome, check_log
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline import parse

ALONE, TOGETHER = 4, 196
GIVEN = (
    {},
    {"date": "2024-10-27", "tz": "Europe/Berlin"},
    {"tool_version": "procps-ng 4.0.2"},
    {"date": "2024-02-29", "tz": "UTC", "tool_version": "1.23"},
)


@dataclass
class Fuzz:
    """One run of the fuzzer: counts and failures."""

    seed: int
    folder: Path
    inputs: int = 0
    logs: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)

    def parse_alone(self, kind: str, data: bytes, given: dict, again: str) -> None:
        """Parse one input alone."""
        self.inputs += 1
        self._report(self._check(kind, data, given), kind, data, given, again)

    def cuts(self, kind: str, step: Callable[[], None]) -> None:
        """Every golden log of a kind, truncated at every byte."""
        for path in goldens(kind):
            data, given = path.read_bytes(), options(path)
            for at in range(len(data) + 1):
                self.parse_alone(kind, data[:at], given, f"{path.name} cut at byte {at}")
            step()

    def round(self, kind: str, logs: list[bytes], number: int) -> None:
        """Two hundred inputs of one kind."""
        rng = random.Random(f"{self.seed} {kind} {number}")
        again = f"python tests/parse/fuzz.py {kind} --seed {self.seed} --round {number}"
        given = rng.choice(GIVEN)
        for n in range(ALONE):
            log = rng.choice(logs)
            data = damage.damaged_log(log if n else damage.excerpt(log, rng), logs, rng)
            self.parse_alone(kind, damage.compressed(data, rng) if n == 1 else data, given, again)
        parts = [
            damage.damaged_log(damage.excerpt(rng.choice(logs), rng), logs, rng)
            for _ in range(TOGETHER)
        ]
        self.inputs += TOGETHER
        self._parse_together(kind, parts, given, again)

    def _parse_together(self, kind: str, parts: list[bytes], given: dict, again: str) -> None:
        data = damage.join_parts(kind, parts, random.Random(again))
        outcome = self._check(kind, data, given)
        half = len(parts) // 2
        if half and (outcome.violation or outcome.refused):
            before = len(self.failures)
            self._parse_together(kind, parts[:half], given, again)
            self._parse_together(kind, parts[half:], given, again)
            if len(self.failures) > before:
                return
        self._report(outcome, kind, data, given, again)

    def _check(self, kind: str, data: bytes, given: dict) -> Outcome:
        self.logs += 1
        outcome = check_log(kind, data, given)
        self.refused += outcome.refused
        return outcome

    def _report(self, outcome: Outcome, kind: str, data: bytes, given: dict, again: str) -> None:
        if outcome.violation is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self.folder / f"{kind}-{self.seed}-{len(self.failures) + 1}.log"
        kept.write_bytes(data)
        self.failures.append(kept.name)
        print(f"FAILURE {kept} {given}\n  again: {again}\n{outcome.violation}", flush=True)

    def summary(self) -> str:
        """Counts as a sentence."""
        return (
            f"{self.inputs:,} inputs in {self.logs:,} logs ({self.refused:,} of these refused),"
            f" {len(self.failures)} failures, seed {self.seed}"
        )


def run(fuzz: Fuzz, kinds: list[str], inputs: int, seconds: float) -> None:
    """Rounds over the kinds in turn until there are enough inputs or the time is over; then all truncations."""
    end = time.monotonic() + seconds
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("inputs", total=inputs)
        reported_s = time.monotonic()

        def step(kind: str) -> None:
            nonlocal reported_s
            bar.update(
                task, completed=fuzz.inputs, description=f"{kind}, {len(fuzz.failures)} failures"
            )
            if bar.disable and time.monotonic() - reported_s > 60:
                reported_s = time.monotonic()
                print(f"{kind}: {fuzz.summary()}", flush=True)

        logs = {kind: [path.read_bytes() for path in goldens(kind)] for kind in kinds}
        number = 0
        while fuzz.inputs < inputs and time.monotonic() < end:
            for kind in kinds:
                fuzz.round(kind, logs[kind], number)
                step(kind)
            number += 1
            gc.collect()
        for kind in kinds if seconds == float("inf") else ():
            fuzz.cuts(kind, lambda kind=kind: step(kind))
            gc.collect()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=" ".join(parse.KINDS))
    parser.add_argument("--inputs", type=int, default=100_000, help="number of inputs (100000)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="time limit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--round", type=int, help="only this round")
    parser.add_argument(
        "--found", type=Path, default=Path("build/fuzz"), help="folder for failing inputs"
    )
    given = parser.parse_args()
    kinds = given.kinds or list(parse.KINDS)
    if not set(kinds) <= set(parse.KINDS):
        parser.error(f"kinds are {' '.join(parse.KINDS)}")
    if hasattr(
        os, "sched_setaffinity"
    ):  # Python and Polars take turns: on one processor that is cheap
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    gc.disable()
    fuzz = Fuzz(given.seed, given.found)
    if given.round is not None:
        for kind in kinds:
            fuzz.round(kind, [path.read_bytes() for path in goldens(kind)], given.round)
    else:
        run(fuzz, kinds, given.inputs, given.seconds)
    print(fuzz.summary(), flush=True)
    return 1 if fuzz.failures else 0


if __name__ == "__main__":
    sys.exit(main())
