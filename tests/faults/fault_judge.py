"""What became of a fault, from the ledger, the messages and the files that the commands left."""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fault_case import (
    HANG,
    LEFTOVER,
    LOST,
    MARKED,
    NO_MESSAGE,
    REFUSED,
    SAME,
    SILENT,
    TRACEBACK,
    UNDETECTABLE,
    Case,
    Done,
    Outcome,
)
from fault_study import Copy

ROUNDING = 1e-9
VALUES = ("value", "low", "high")
CODES = (0, 1, 2, 129, 130, 143)
MESSAGE = re.compile(r"(queuevisor: |(ingest|ledger|report)( \d+/\d+ |: )|Try '|Usage: |[╭│╰])")
"""How a line on standard error begins; another one is the rest of a message that is not one line."""
CRASH = re.compile(
    r"Traceback|panicked at|BrokenProcessPool|\b[A-Z]\w*(?:Error|Exception)\b|\[Errno|<class '"
)
"""What a message for people does not have."""

RESULT = "ledger"
"""The table that the command stores beside those of the run's manifest."""

Row = tuple[str, ...]
Ledger = dict[Row, dict[str, str]]


def read_ledger(text: str) -> Ledger:
    """The rows of a ledger in CSV by what they are, with their values and flags."""
    rows: Ledger = {}
    for row in csv.DictReader(io.StringIO(text)):
        key = tuple(value for name, value in row.items() if name not in (*VALUES, "flags"))
        while key in rows:
            key = (*key, "again")
        rows[key] = {name: row[name] for name in (*VALUES, "flags")}
    return rows


def same_values(one: Mapping[str, str] | None, other: Mapping[str, str] | None) -> bool:
    """Whether value and bounds of two rows are equal but for rounding (times from another clock)."""
    return None not in (one, other) and all(_same_number(one[n], other[n]) for n in VALUES)


def _same_number(one: str, other: str) -> bool:
    return one == other or bool(
        one and other and math.isclose(float(one), float(other), rel_tol=ROUNDING)
    )


def run_of(row: Row) -> str:
    return "/".join(row[:3])


def judge(
    case: Case,
    done: Sequence[Done],
    expected: Ledger,
    independent: set[Row],
    copy: Copy,
) -> Outcome:
    """The outcome of a case.

    ``expected`` is the ledger of the undamaged study; ``independent`` are its rows that do not depend on the damaged
    file.
    """
    stderr = "\n".join(each.stderr for each in done)
    last = _last_line(stderr)

    def outcome(name: str, detail: str = "") -> Outcome:
        return Outcome(case.name, case.group, name, " | ".join(filter(None, (detail, last))))

    for each in done:
        if each.code is None:
            return outcome(HANG, f"{each.arguments[0]} does not end")
        if problem := crash_of(each):
            return outcome(TRACEBACK, problem)
    ledger = read_ledger(done[-1].stdout) if done[-1].code in (0, 1) else {}
    lost = [row for row in independent if not same_values(ledger.get(row), expected[row])]
    victims = {row: value for row, value in expected.items() if run_of(row) == case.run_id}
    changed = [
        row
        for row in {**victims, **{r: v for r, v in ledger.items() if run_of(r) == case.run_id}}
        if not same_values(ledger.get(row), expected.get(row))
    ]
    if changed and case.must_stay and done[-1].code != 0:
        return outcome(LOST, f"exit code {done[-1].code}, though the raw run is undamaged")
    if lost and any(row not in victims for row in lost):
        return outcome(LOST, f"{len(lost)} numbers of other runs are lost, e.g. {_text(lost[0])}")
    if changed:
        unmarked = [
            row
            for row in changed
            if row in ledger
            and (ledger[row]["value"] or ledger[row]["low"] or ledger[row]["high"])
            and ledger[row]["flags"] in ("", expected.get(row, {}).get("flags"))
        ]
        is_named = any(each.code in (1, 2) and case.file in each.stderr for each in done)
        is_named_last = done[-1].code in (1, 2) and case.file in done[-1].stderr
        if unmarked or not (is_named and is_named_last):
            if case.undetectable:
                return Outcome(case.name, case.group, UNDETECTABLE, case.undetectable)
            codes = ", ".join(str(each.code) for each in done)
            row = (unmarked or changed)[0]
            was, now = expected.get(row), ledger.get(row)
            return outcome(
                SILENT if unmarked else NO_MESSAGE,
                f"{len(changed)} numbers differ, {len(unmarked)} without a flag, exit {codes}"
                f"{'' if is_named_last else ', file not named'}; {_text(row)}: {_values(was)} -> {_values(now)}",
            )
    if lost:
        return outcome(LOST, f"{len(lost)} independent numbers are lost, e.g. {_text(lost[0])}")
    if remains := leftovers(copy):
        return outcome(LEFTOVER, ", ".join(remains[:3]))
    if not changed:
        return outcome(SAME)
    is_refused = not any(run_of(row) == case.run_id for row in ledger)
    return outcome(REFUSED if is_refused else MARKED)


def crash_of(done: Done) -> str | None:
    """What is wrong with the messages or the exit code of a command; None if nothing is."""
    if match := CRASH.search(done.stderr):
        line = next((x for x in done.stderr.splitlines() if match[0] in x), "")
        return f"{done.arguments[0]}: {line.strip()[:200]}"
    if done.code not in CODES:
        return f"{done.arguments[0]}: exit code {done.code}"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if stray := [line for line in lines if not MESSAGE.match(line)]:
        return f"{done.arguments[0]}: a message of several lines: {stray[0].strip()[:120]}"
    messages = [line for line in lines if line.startswith("queuevisor: ")]
    if repeated := [line for line in messages if messages.count(line) > 1]:
        return f"{done.arguments[0]}: a message is repeated: {repeated[0][:120]}"
    return None


def leftovers(copy: Copy) -> list[str]:
    """Files that stay behind: temporary ones, and tables that no manifest lists."""
    remains = [f"tmp/{path.name}" for path in sorted(copy.temporary.iterdir())]
    listed = set()
    try:
        for path in copy.processed.glob(".manifest/*/*/*/manifest.json"):
            if not path.is_file():
                continue
            try:
                manifest = json.loads(path.read_bytes()[:10_000_000])
                listed |= {
                    Path(table)
                    / path.parent.relative_to(copy.processed / ".manifest")
                    / manifest["key"]
                    for table in manifest["tables"]
                }
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
        for path in sorted(copy.processed.rglob("*")):
            inside = path.relative_to(copy.processed)
            if inside.parts[0] == RESULT:
                continue
            if (path.suffix == ".parquet" and inside.with_suffix("") not in listed) or (
                path.is_file() and path.name.startswith(".") and path.name != ".gitignore"
            ):
                remains.append(str(inside))
    except OSError:
        pass
    return remains


def _last_line(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith("queuevisor: ")]
    lines = lines or stderr.splitlines()
    return lines[-1].removeprefix("queuevisor: ")[:300] if lines else ""


def _text(row: Row) -> str:
    return " ".join(part for part in (row[3], row[4], row[5], row[8]) if part)[:120]


def _values(row: Mapping[str, str] | None) -> str:
    if row is None:
        return "no row"
    value, low, high = (f"{float(row[name]):.4g}" if row[name] else "null" for name in VALUES)
    return value if low == high == "null" else f"{value} [{low}, {high}]"
