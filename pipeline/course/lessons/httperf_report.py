"""Wrong readings of httperf's report: its other numbers in place of the mean reply time."""

from __future__ import annotations

import re

from pipeline.course.formula import Formula, column
from pipeline.course.given import Given, NoValue
from pipeline.course.question import Slip


def connection_time(which: str, role: str) -> Formula:
    """Shortest or longest connection in the report of a run, seconds.

    Parameters
    ----------
    which : str
        ``min`` or ``max``.
    role : str
        Of the run in the lesson.

    Returns
    -------
    Formula
        Without a value where the raw run has no such report.

    Examples
    --------
    >>> longest_s = connection_time("max", "quiet")
    """

    return _read(rf"Connection time \[ms\]: .*?\b{which} ([\d.]+)", role) / 1e3


def client_cpu_time(which: str, role: str) -> Formula:
    """CPU time of the client itself in the report of a run, seconds.

    Parameters
    ----------
    which : str
        ``user`` or ``system``.
    role : str
        Of the run in the lesson.

    Returns
    -------
    Formula
        Without a value where the raw run has no such report.

    Examples
    --------
    >>> client_s = client_cpu_time("user", "quiet") + client_cpu_time("system", "quiet")
    """
    return _read(rf"CPU time \[s\]: .*?\b{which} ([\d.]+)", role)


def _read(pattern: str, role: str) -> Formula:
    """The number that a pattern finds in the report of a run."""

    def number(g: Given) -> float:
        path = g.folder(role) / "client" / "httperf.log"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        match = re.search(pattern, text)
        if match is None:
            raise NoValue(f"{path}: nothing matches {pattern}")
        return float(match[1])

    return Formula(number)


def reply_time_slips(role: str) -> tuple[Slip, ...]:
    """Slips of the mean reply time, response + transfer, of a run.

    Parameters
    ----------
    role : str
        Of the run in the lesson.

    Returns
    -------
    tuple of Slip

    Examples
    --------
    >>> reply_time_slips("quiet")[0][1]
    'that is the response alone, until the first byte; the user also waits for the transfer'
    """
    response, transfer = column(role, "response_s"), column(role, "transfer_s")
    shortest, longest = connection_time("min", role), connection_time("max", role)
    return (
        (response, "that is the response alone, until the first byte; the user also waits for the transfer"),
        (transfer, "that is the transfer alone; the user waits for the response first"),
        (
            column(role, "R_client_s") + transfer,
            "the transfer is in the connection time already: do not add it again",
        ),
        (
            column(role, "R_client_s") + response,
            "the response is in the connection time already: do not add it again",
        ),
        (response - transfer, "you subtracted the transfer; it follows the response, so the two add up"),
        (column(role, "R_median_s"), "that is the median of the connection times; a mean is asked for"),
        (response + transfer + column(role, "R_sd_s"), "you added the standard deviation; the mean is asked for"),
        (
            column(role, "R_client_s") / column(role, "lambda_total"),
            "a mean is per request already: do not divide by their number",
        ),
        (shortest, "that is the shortest connection; a mean is asked for"),
        (longest, "that is the longest connection; a mean is asked for"),
        ((shortest + longest) / 2, "that is the middle of the shortest and the longest; a mean weighs all requests"),
        (longest - shortest, "that is the range, longest less shortest; a mean is asked for"),
        (column(role, "connection_interval_s"), "that is the time between two connections, not the time of one"),
        (column(role, "rate_per_s"), "that is the rate of the requests; a time is asked for"),
        (column(role, "T_s"), "that is the length of the whole run; the time of one request is asked for"),
        (column(role, "R_cpu_s"), "that is the CPU time of a request; the user waits for more than the CPU"),
        (
            column(role, "R_client_s") - column(role, "R_cpu_s"),
            "you subtracted the CPU time; the user waits for it, too",
        ),
        (
            column(role, "R_client_s") + column(role, "R_cpu_s"),
            "the CPU works while the user waits: its time is in the reply time already",
        ),
    )  # fmt: skip
