"""The outcomes as text: one line of counts, a table separated by tabs, docs/reliability.md."""

import re
from collections import Counter
from collections.abc import Sequence

from fault_case import FAILURES, GROUPS, UNDETECTABLE, Outcome

ORDER = ("same", "marked", "refused", UNDETECTABLE, *FAILURES)
MEANING = {
    "same": "every number is the same (to nine digits)",
    "marked": "numbers differ; each is null or has a note, the file is named, the exit code is 1 or 2",
    "refused": "no number of the run; the file is named, the exit code is 1 or 2",
    UNDETECTABLE: "numbers differ, and nothing in the recording contradicts them (see below)",
    "silent": "A: a number differs without a note",
    "no message": "A: numbers that differ are null or have a note, but no message names the file, or exit 0",
    "hang": "B: the command does not end",
    "traceback": "C: a traceback, the name of an exception, a message of several lines, another exit code",
    "lost": "D: numbers that do not depend on the damaged file are lost",
    "leftover": "E: temporary files, tables or processes stay behind",
    "leak": "G: a planted secret, formula, escape code or markup is in what is written",
    "overwritten": "G: a file was written through a planted link",
    "error": "the fault could not be made",
}
HEAD = """# Reliability: faults tried, and what became of them

Printed by `make faults`, which damages copies of a short study in every way of the list, runs `queuevisor ingest` and \
`queuevisor ledger` on them, and compares the numbers with those of the undamaged study. The study: two simulated runs \
of 24 s, and one recorded run. The list: [tests/faults/](../tests/faults); a sample of each kind runs in `make test`.

    make faults                            # all; writes this page
    make faults CASES="'log/cut/*'"        # some; writes nothing
"""


def summary(outcomes: Sequence[Outcome], passed_s: float) -> str:
    """Counts of all outcomes."""
    counts = Counter(outcome.outcome for outcome in outcomes)
    cpu_s = sum(outcome.cpu_s for outcome in outcomes)
    text = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    return f"{len(outcomes)} cases in {passed_s:.0f} s ({cpu_s:.0f} s of CPU): {text}"


def as_table(outcomes: Sequence[Outcome]) -> str:
    """One line per case: case, group, outcome, detail; failures first."""
    ordered = sorted(
        outcomes, key=lambda each: (not each.is_failure, each.failed_group, each.outcome)
    )
    lines = ["case\tgroup\toutcome\tdetail"]
    for each in ordered:
        detail = " ".join(each.detail.split())
        lines.append(f"{each.case}\t{each.failed_group}\t{each.outcome}\t{detail}")
    return "\n".join(lines) + "\n"


def as_document(outcomes: Sequence[Outcome], total: int) -> str:
    """docs/reliability.md: counts by group and by kind, what does not hold, what cannot be noticed.

    The same outcomes give the same text: neither date nor commit is in it (git has them).
    """
    present = [name for name in ORDER if any(each.outcome == name for each in outcomes)]
    parts = [HEAD]
    if len(outcomes) < total:
        parts += [f"This page is of {len(outcomes)} of {total} cases, spread over all kinds.\n"]
    parts += [
        "## Outcomes by group\n",
        _table("group", GROUPS, [each.group for each in outcomes], outcomes, present),
    ]
    kinds = [
        each.case.split("/")[0] if each.case[0] != "h" else "host/facts.json" for each in outcomes
    ]
    kinds = [KINDS.get(kind, kind) for kind in kinds]
    parts += ["## Outcomes by kind of fault\n"]
    parts += [_table("kind", dict.fromkeys(dict.fromkeys(kinds), ""), kinds, outcomes, present)]
    parts += ["\n".join(f"- *{name}*: {MEANING[name]}" for name in present) + "\n"]
    failures = [each for each in outcomes if each.is_failure]
    parts += ["## What does not hold\n", _list(failures) if failures else "No case.\n"]
    undetectable = [each for each in outcomes if each.outcome == UNDETECTABLE]
    if undetectable:
        parts += ["## What nothing can notice\n", _list(undetectable)]
    return "\n".join(parts)


KINDS = {
    "log": "logs: cut, bits flipped, clocks stepped, snapshots missing, exchanged",
    "tables": "stored tables and their manifests",
    "file type": "pipes, folders, devices, links, sockets in the place of a file",
    "giant": "logs that expand to 20 GB, lines of 64 MB, thousands of segments",
    "rights": "files and folders without rights",
    "killed": "processes killed or ended by a signal, two at once",
    "full disk": "full disks and size limits",
    "planted": "secrets, formulas, escape codes, markup, links",
}


def _table(
    title: str,
    names: dict[str, str],
    of_case: Sequence[str],
    outcomes: Sequence[Outcome],
    present: Sequence[str],
) -> str:
    """Counts of outcomes, one row per name."""
    lines = [f"| {title} | cases | {' | '.join(present)} |", "|---" * (len(present) + 2) + "|"]
    for name, text in names.items():
        of_name = [o for o, group in zip(outcomes, of_case, strict=True) if group == name]
        if of_name:
            counts = Counter(each.outcome for each in of_name)
            cells = [f"{name}. {text}" if text else name, str(len(of_name))]
            lines.append(f"| {' | '.join([*cells, *(str(counts[o] or '') for o in present)])} |")
    counts = Counter(each.outcome for each in outcomes)
    total = [str(counts[name]) for name in present]
    lines.append(f"| **all** | {len(outcomes)} | {' | '.join(total)} |")
    return "\n".join(lines) + "\n"


def _list(outcomes: Sequence[Outcome]) -> str:
    """Cases with their outcome and detail, by group."""
    ordered = sorted(outcomes, key=lambda each: (each.failed_group, each.outcome, each.case))
    lines = []
    for each in ordered:
        detail = " ".join(each.detail.split()).replace("|", ";")[:240]
        text = detail if each.outcome == UNDETECTABLE else f"{each.outcome}. {detail}"
        lines.append(f"- `{each.case}`: {_plain(text)}")
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text of messages as plain Markdown, without the names of temporary folders."""
    text = re.sub(r"/\S*?faults-\w+/\d+", "…", text)
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", text)
