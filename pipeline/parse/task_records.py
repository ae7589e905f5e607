"""Lines of a tasks.log by type of record, as typed rows; docs/reference/raw-run.md has their grammar.

Example:
    >>> LINE_FORMATS["c"][0]
    ('pid', 'starttime_ticks', 'command_line')
"""

from __future__ import annotations

from functools import cache

import polars as pl

from pipeline.parse import texts
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.parsed import split_rejects

_KEY = r"([0-9]+)"
_NUMBER = r"([0-9]+|-)"
_STATE = r"([A-Za-z]|-)"
_TEXT = r"(.*)"

_P = (
    "pid", "starttime_ticks", "ppid", "state", "threads", "utime_ticks", "stime_ticks",
    "child_utime_ticks", "child_stime_ticks", "guest_time_ticks", "blkio_delay_ticks",
    "resident_pages", "comm",
)  # fmt: skip
_I = (
    "pid", "starttime_ticks", "read_chars_bytes", "write_chars_bytes", "read_syscalls",
    "write_syscalls", "read_bytes", "write_bytes", "cancelled_write_bytes",
)  # fmt: skip
_T = (
    "pid", "tid", "starttime_ticks", "state", "processor", "utime_ticks", "stime_ticks",
    "guest_time_ticks", "blkio_delay_ticks", "comm",
)  # fmt: skip
_V = (
    "pid", "tid", "starttime_ticks", "task_role", "task_role_id", "found_by", "virtual_server_name",
)  # fmt: skip
_K = ("source", "name", "value", "subject")
_CPU = (
    "cpu", "user_ticks", "nice_ticks", "system_ticks", "idle_ticks", "iowait_ticks", "irq_ticks",
    "softirq_ticks", "steal_ticks", "guest_ticks", "guest_nice_ticks",
)  # fmt: skip

LINE_FORMATS = {
    "p": (_P, rf"^p {_KEY} {_KEY} {_NUMBER} {_STATE}" + rf" {_NUMBER}" * 8 + rf" {_TEXT}$"),
    "i": (_I, rf"^i {_KEY} {_KEY}" + rf" {_NUMBER}" * 7 + r"$"),
    "t": (_T, rf"^t {_KEY} {_KEY} {_KEY} {_STATE}" + rf" {_NUMBER}" * 5 + rf" {_TEXT}$"),
    "c": (("pid", "starttime_ticks", "command_line"), rf"^c {_KEY} {_KEY} {_TEXT}$"),
    "v": (_V, rf"^v {_KEY} {_KEY} {_KEY}" + r" (\S+)" * 3 + rf" {_TEXT}$"),
    "x": (("pid", "starttime_ticks", "reason"), rf"^x {_KEY} {_NUMBER} {_TEXT}$"),
    "k": (_K, rf"^k (\S+) (\S+) {_NUMBER} {_TEXT}$"),
    "cpu": (_CPU, r"^(cpu[0-9]*)" + r"\s+([0-9]+)" * 4 + r"(?:\s+([0-9]+))?" * 6 + r"(?:\s+[0-9]+)*\s*$"),
}  # fmt: skip
"""Type of record → its fields in order, and its pattern."""

TEXT_FIELDS = (
    "state",
    "comm",
    "command_line",
    "reason",
    "cpu",
    "source",
    "name",
    "subject",
    *_V[3:],
)
NULLABLE_TEXTS = ("state", "task_role", "task_role_id", "virtual_server_name")
"""Texts in which ``-`` is an unknown value."""
ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t"}
"""Escapes of the collector for backslash and white space that would end or split a line."""
MAX_NUMBER = 2**53
"""Largest number of a record: floats are exact up to it."""
UNLIMITED = ("k",)
"""Types of records with other numbers: cgroup v1 writes 2^63 - 4096 for no limit."""
MAX_CPU_SHARE = 2
"""CPU time of a process or thread, over the time of all CPUs by the ``cpu`` line. That line counts ticks, which a
virtual CPU that waits loses (half of them at most); utime and stime are exact run times (kernel/sched/cputime.c)."""
CPU_TIMES = (
    "utime_ticks", "stime_ticks", "child_utime_ticks", "child_stime_ticks", "guest_time_ticks",
)  # fmt: skip
ALL_STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""States of /proc/stat: in each tick a CPU is in one of them; guest time is part of user and nice."""
UNIQUE_KEYS = {"p": ("pid", "starttime_ticks"), "i": ("pid", "starttime_ticks"),
        "t": ("pid", "tid", "starttime_ticks"), "cpu": ("cpu",), "k": _K}  # fmt: skip
"""Columns that identify a record within a snapshot."""


def parse_lines(
    lines: pl.DataFrame, kind: str, names: tuple[str, ...], pattern: str, max_cpu_ticks: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records of one type as typed rows, and malformed ones with the reason."""
    parts = pl.col("text").str.extract_groups(pattern).struct.rename_fields(list(names))
    frame = lines.select("line", "tick", parts.struct.unnest())
    numbers = [name for name in names if name not in TEXT_FIELDS]
    has_misfit = pl.any_horizontal(
        to_int64(name).is_null() & pl.col(name).is_not_null() & (pl.col(name) != "-")
        for name in numbers
    )
    limits = {name: max_cpu_ticks if name in CPU_TIMES else MAX_NUMBER for name in numbers}
    is_above = pl.any_horizontal(to_int64(name) > limit for name, limit in limits.items())
    is_impossible = is_above & (kind not in UNLIMITED)
    reason = first_of(
        (pl.col(names[0]).is_null(), texts.malformed_record(kind)),
        (has_misfit, texts.TOO_LARGE),
        (is_impossible, texts.IMPOSSIBLE),
    )
    good, bad = split_rejects(frame, reason)
    may_lack = pl.selectors.by_name(*NULLABLE_TEXTS, require_all=False)
    text_columns = pl.selectors.by_name(*TEXT_FIELDS, require_all=False)
    good = good.with_columns(to_int64(pl.col(numbers)), may_lack.replace("-", None))
    good = good.with_columns(text_columns.str.replace_many(ESCAPES))
    if kind not in UNIQUE_KEYS:
        return good, bad
    is_duplicate = ~pl.struct("tick", *UNIQUE_KEYS[kind]).is_first_distinct()
    good, duplicates = split_rejects(good, first_of((is_duplicate, texts.DUPLICATE_IN_SNAPSHOT)))
    return good, pl.concat([bad, duplicates])


@cache
def no_lines(kind: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records and rejects of a type of which there are no lines."""
    lines = pl.DataFrame(schema={"line": pl.Int64, "tick": pl.Int64, "text": pl.String})
    return parse_lines(lines, kind, *LINE_FORMATS[kind], MAX_NUMBER)
