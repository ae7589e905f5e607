"""Throw spoiled logs at the parsers until something breaks: ``make fuzz``.

    python tests/parse/fuzz.py [KIND …] [--inputs N] [--seconds S] [--seed 1] [--found FOLDER]
    python tests/parse/fuzz.py KIND --seed 1 --round 1234      one round again

In rounds of 200 inputs, each a golden log or some lines of one after a few accidents (``accidents.py``): 4 are
parsed alone, one of them compressed; 196 are parsed as one log, one behind another, with all the checks of
the tables. A log of theirs that is refused or gives a find is halved until the part is found that does it.
Without ``--seconds``, every golden log is then cut at every byte and parsed: 56,000 more inputs.

A parser may read a line, refuse it, or refuse the log with an error of ours. A find is anything else: another
exception, lines that are not all in the books, a row from a line that was refused, a line that was read
and has no row. It is printed with the command that repeats it, and its input is kept in FOLDER.
Exit code: 0 clean, 1 finds.
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

import accidents
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from trials import goldens, options
from verdicts import Verdict, judge

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
    """One run: what was counted and what was found."""

    seed: int
    folder: Path
    inputs: int = 0
    logs: int = 0
    refused: int = 0
    finds: list[str] = field(default_factory=list)

    def alone(self, kind: str, data: bytes, given: dict, again: str) -> None:
        """One input, parsed by itself."""
        self.inputs += 1
        self._tell(self._judged(kind, data, given), kind, data, given, again)

    def cuts(self, kind: str, step: Callable[[], None]) -> None:
        """Every golden log of a kind, cut at every byte."""
        for path in goldens(kind):
            data, given = path.read_bytes(), options(path)
            for at in range(len(data) + 1):
                self.alone(kind, data[:at], given, f"{path.name} cut at byte {at}")
            step()

    def round(self, kind: str, logs: list[bytes], number: int) -> None:
        """Two hundred inputs of one kind."""
        dice = random.Random(f"{self.seed} {kind} {number}")
        again = f"python tests/parse/fuzz.py {kind} --seed {self.seed} --round {number}"
        given = dice.choice(GIVEN)
        for n in range(ALONE):
            log = dice.choice(logs)
            data = accidents.spoiled(log if n else accidents.piece(log, dice), logs, dice)
            self.alone(kind, accidents.packed(data, dice) if n == 1 else data, given, again)
        pieces = [
            accidents.spoiled(accidents.piece(dice.choice(logs), dice), logs, dice)
            for _ in range(TOGETHER)
        ]
        self.inputs += TOGETHER
        self._together(kind, pieces, given, again)

    def _together(self, kind: str, pieces: list[bytes], given: dict, again: str) -> None:
        data = accidents.joined(kind, pieces, random.Random(again))
        verdict = self._judged(kind, data, given, fully=True)
        half = len(pieces) // 2
        if half and (verdict.find or verdict.refused):
            before = len(self.finds)
            self._together(kind, pieces[:half], given, again)
            self._together(kind, pieces[half:], given, again)
            if len(self.finds) > before:
                return
        self._tell(verdict, kind, data, given, again)

    def _judged(self, kind: str, data: bytes, given: dict, *, fully: bool = False) -> Verdict:
        self.logs += 1
        verdict = judge(kind, data, given, fully=fully)
        self.refused += verdict.refused
        return verdict

    def _tell(self, verdict: Verdict, kind: str, data: bytes, given: dict, again: str) -> None:
        if verdict.find is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self.folder / f"{kind}-{self.seed}-{len(self.finds) + 1}.log"
        kept.write_bytes(data)
        self.finds.append(kept.name)
        print(f"FIND {kept} {given}\n  again: {again}\n{verdict.find}", flush=True)

    def told(self) -> str:
        """The sum of it all."""
        return (
            f"{self.inputs:,} inputs in {self.logs:,} logs ({self.refused:,} of these refused by an error"
            f" of ours), {len(self.finds)} finds, seed {self.seed}"
        )


def run(fuzz: Fuzz, kinds: list[str], inputs: int, seconds: float) -> None:
    """All cuts, then rounds over the kinds in turn, until there were enough inputs or the time is up."""
    end = time.monotonic() + seconds
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("inputs", total=inputs)
        told = time.monotonic()

        def step(kind: str) -> None:
            nonlocal told
            bar.update(task, completed=fuzz.inputs, description=f"{kind}, {len(fuzz.finds)} finds")
            if bar.disable and time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"{kind}: {fuzz.told()}", flush=True)

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
    parser.add_argument("--inputs", type=int, default=100_000, help="all in all (100000)")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="stop then at the latest"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--round", type=int, help="this round alone")
    parser.add_argument(
        "--found", type=Path, default=Path("build/fuzz"), help="where finds are kept"
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
    print(fuzz.told(), flush=True)
    return 1 if fuzz.finds else 0


if __name__ == "__main__":
    sys.exit(main())
