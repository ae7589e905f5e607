"""Programs whose output looks like top's: recognized, named and refused.

Their columns and units differ from those of procps and BusyBox: FreeBSD's ``WCPU`` is a decaying mean, ``ps`` prints
%CPU since the start of the process, ``CPU%`` of Solaris is of all CPUs.
"""

from __future__ import annotations

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError

PROGRAMS = {
    "toybox (Android)": r"^\s*[0-9]+%cpu\s+[0-9]+%user|\bS\[%CPU\]|^User [0-9]+%, System [0-9]+%, IOW",
    "macOS": r"^Processes: [0-9]+ total,|^PhysMem: |^SharedLibs: |^MemRegions: |^CPU usage: [0-9.]+% user",
    "FreeBSD": r"^\s*PID\s+(?:USERNAME|UID)\s+(?:THR\s+)?PRI\s+NICE\s+SIZE\s+RES\s+(?:SWAP\s+)?STATE\s+C\s",
    "OpenBSD": r"^\s*(?:PID|TID|PID TID)\s+USERNAME\s+PRI\s+NICE\s+SIZE\s+RES\s+STATE\s+WAIT\s",
    "NetBSD": r"^\s*PID\s+USERNAME\s+PRI\s+NICE\s+SIZE\s+RES\s+STATE\s+TIME\s+WCPU\s",
    "Solaris": r"^\s*PID\s+USERNAME\s+(?:LWP|NLWP|THR)\s+PRI\s+NICE\s+SIZE\s+RES\s+STATE\s+TIME\s+CPU\s",
    "prstat of Solaris": r"^\s*PID\s+USERNAME\s+SIZE\s+RSS\s+STATE\s+PRI\s+NICE\s+TIME\s+CPU\s",
    "HP-UX": r"^\s*(?:CPU\s+)?TTY\s+PID\s+USERNAME\s+PRI\s+NI\s+SIZE\s+RES\s+STATE\s+TIME\s+%WCPU\s",
    "topas of AIX": r"^\s*Topas Monitor for host:|^\s*(?:Name|USER)\s+PID\s+(?:PPID\s+)?CPU%\s",
    "BSD or Solaris": r"^\s*last pid:\s*[0-9]+|^\s*load averages?:\s+[0-9.]+,?\s+[0-9.]+|^\s*CPU states:\s+[0-9.]+%",
    "htop": r"\bCPU%\s+MEM%\s+TIME\+",
    "atop": r"^ATOP - \S+\s|^\s*PID\s+SYSCPU\s+USRCPU\s",
    "ps": r"^\s*(?:USER|UID|F)\s.*\bPID\b.*\b(?:TTY|TT)\b.*\b(?:CMD|COMMAND)\s*$"
          r"|^\s*PID\s+(?:TTY|TT)\s+(?:STAT\s+)?TIME\s+(?:CMD|COMMAND)",
    "pidstat": r"\bUID\s+T?G?[PT]ID\s.*%(?:usr|user)\s+%system",
}  # fmt: skip
"""Lines that only that program prints, the surest first."""

PROCPS = r"^\s*\S+(?: \S+)? - [0-9]{2}:[0-9]{2}:[0-9]{2} up\s|^Load average: [0-9.]+ [0-9.]+ [0-9.]+ [0-9]+/[0-9]+"
"""Lines that only procps and BusyBox print."""


class ForeignTops:
    """Looks for lines of other programs than procps' and BusyBox's top, piece by piece."""

    def __init__(self) -> None:
        self._has_procps = False
        self._lines: dict[str, int] = {}

    def add(self, unnumbered: pl.DataFrame) -> None:
        """Look through ``line`` and ``text`` of the next lines, of those that do not begin with a number."""
        text = pl.col("text")
        if self._has_procps or unnumbered.select(text.str.contains(PROCPS).any()).item():
            self._has_procps = True
            return
        for program, pattern in PROGRAMS.items():
            lines = unnumbered.filter(text.str.contains(pattern))["line"]
            if lines.len():
                self._lines.setdefault(program, int(lines[0]))

    def refuse(self, file: str) -> None:
        """Raise ``UnknownFormatError`` if the log is of another program."""
        for program in () if self._has_procps else PROGRAMS:
            if program in self._lines:
                raise UnknownFormatError(file, texts.foreign_top(program), self._lines[program])
