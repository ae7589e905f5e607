"""Sentences of the grader: problems of a submission, and what it was protected from."""

from __future__ import annotations

import signal

WITHOUT_NETWORK = (
    "each submission ran in a process without network (a network namespace of its own)"
)
WITH_NETWORK = (
    "each submission ran in a process in which Python opens no connection; this system refuses "
    "network namespaces, so native code was not kept from the network"
)
NOT_A_SMALL_FILE = "not read: a link, no regular file, or larger than 20 MB"
STOPPED = "stopped"
OPENS_NO_LESSON = "no question was answered: the notebook opens no lesson"
TYPED = "the same number on every host: typed in, not computed"
NOT_ANSWERED = "not answered"
OTHER_STUDY = "the notebook opens another study than its parameter says"


def cell_problem(cell: int, text: str) -> str:
    """A problem in a code cell; cells are numbered from 1."""
    return f"code cell {cell + 1}: {text}"


def unresponsive(limit_s: float) -> str:
    """A process that was ended."""
    return f"ended: it did not stop after {limit_s:g} s"


def process_ended(code: int) -> str:
    """A process that ended before its work was done."""
    if code < 0:
        return (
            f"the process was ended by {signal.Signals(-code).name}; did it need too much memory?"
        )
    return f"the process ended itself with exit code {code} (os._exit?)"


def not_started(code: int) -> str:
    """A process that never ran a cell."""
    return f"the grader's process did not start (exit code {code})"


def not_copied(text: str) -> str:
    """A submission that cannot be read."""
    return f"cannot be read: {text}"


def given_up(reason: str) -> str:
    """A submission whose process ends again and again."""
    return f"given up: {reason}"


HEADER = "answers on hosts that the student has not seen"
MARKS = "Points: those of the question times the share of hosts on which its last answer is right"
ANSWERS = "The last answer on each host, and the verdict"
