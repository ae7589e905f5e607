"""A fault: what it damages and which commands are run; and what became of it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fault_study import WEB, Copy

SAME, MARKED, REFUSED, UNDETECTABLE = "same", "marked", "refused", "undetectable"
SILENT, HANG, TRACEBACK, LOST, LEFTOVER = "silent", "hang", "traceback", "lost", "leftover"
NO_MESSAGE, LEAK, OVERWRITTEN = "no message", "leak", "overwritten"
ERROR = "error"
"""The fault could not be made: the list is wrong."""

GROUPS = {
    "A": "Damaged input: numbers are the same or marked",
    "B": "Commands that do not end",
    "C": "Messages: one line with file and key",
    "D": "One bad file loses its own numbers only",
    "E": "Nothing stays behind",
    "G": "Secrets, hostile text, planted links",
}
"""Groups of faults."""

FAILURES = {
    SILENT: "A",
    NO_MESSAGE: "A",
    HANG: "B",
    TRACEBACK: "C",
    LOST: "D",
    LEFTOVER: "E",
    LEAK: "G",
    OVERWRITTEN: "G",
    ERROR: "list",
}
"""Outcome that must not occur → its group."""


@dataclass(frozen=True)
class Case:
    """One fault."""

    name: str
    group: str
    damage: Callable[[Copy], None]
    """Damages the copy of the study."""
    file: str = ""
    """What a message must name: the file, or the key of a manifest."""
    run_id: str = WEB
    """The run that is damaged."""
    others: bool = False
    """Whether the copy has the other runs as well, whose numbers must stay."""
    ingested: bool = False
    """Whether the copy's tables exist before the fault."""
    without_rights: bool = False
    """Whether permission bits are obeyed, also by root."""
    must_stay: bool = False
    """Whether every number can and must stay: the raw run is undamaged."""
    undetectable: str | None = None
    """Why no program could notice the fault; None if it must be noticed."""
    commands: tuple[tuple[str, ...], ...] = (("ingest",), ("ledger", "--format", "csv"))
    limit_s: float = 60.0
    """Wall time; a case that takes longer does not end."""
    program: Callable[[Copy], "Outcome"] | None = None
    """Runs the case itself, instead of ``commands``: processes that are killed, full disks."""


@dataclass(frozen=True)
class Done:
    """A command that has ended; ``code`` is None if it did not end within its time."""

    arguments: tuple[str, ...]
    code: int | None
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    case: str
    group: str
    outcome: str
    detail: str = ""
    cpu_s: float = field(default=0.0, compare=False)

    @property
    def is_failure(self) -> bool:
        return self.outcome in FAILURES

    @property
    def failed_group(self) -> str:
        """Group that the outcome counts in: that of the failure, else the case's own."""
        return FAILURES.get(self.outcome, self.group)


def restore_rights(folder: Path) -> None:
    """Give the owner back what a fault took from the folders of a copy."""
    folder.chmod(0o700)
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            if not (path := Path(parent, name)).is_symlink():
                path.chmod(0o700)


def remove_tree(folder: Path) -> None:
    """Remove a copy, whatever files and rights the fault left in it."""
    if folder.exists():
        restore_rights(folder)
        shutil.rmtree(folder, ignore_errors=True)
