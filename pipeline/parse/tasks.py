"""tasks.log: the kernel's own counters of CPUs, processes and threads, as the collector samples them.

The grammar is in docs/reference/raw-run.md; each line is a record::

    #T 1790000001000000000 51000000000 1 <boot_id>
    cpu  120 0 80 5000 9 0 1 0 0 0
    cpu0 120 0 80 5000 9 0 1 0 0 0
    p 812 4411 1 S 3 95 40 0 0 20 7 51200 qemu-system-x86
    i 812 4411 900 800 12 11 4096 8192 0
    t 812 812 4411 S 0 15 10 0 2 qemu-system-x86
    c 812 4411 qemu-system-x86_64 -name guest=web
    v 812 812 4411 emulator - command web
    x 990 4500 denied
    k pressure some_us 81200 cpu

Tables (columns and units: docs/reference/tables.md)
    ``tasks``           one row per ``t`` line, joined with the latest ``v`` line of the same boot, pid,
                        tid and start at or above that snapshot
    ``task_processes``  one row per process and snapshot: its ``p`` line, joined with its ``i`` line and the
                        latest ``c`` line of the same boot, pid and start at or above that snapshot, and
                        with its leader's ``v`` line
    ``cpus``            one row per ``cpu`` line
    ``kernel_counters`` one row per ``k`` line

Caveats
    - Times are those of ``#T`` lines. Lines before the first one are rejects; after a malformed one ``time`` is
      null.
    - ``-`` is a value that the kernel did not give: null, never 0.
    - An ``i`` line without its ``p`` line (or the reverse) is a row; the other columns are null.
    - A counter that cannot be (``MAX_NUMBER``, ``MAX_CPU_SHARE``) makes its line a reject and the log damaged: what
      the process used is not known.
    - Of several lines of a process or thread in one snapshot the first is kept; the others are rejects.
    - ``v`` lines give virtual server and role of a thread, where they were found or have changed. Logs of older
      collectors have none: roles are then derived from thread names and command lines (``thread_roles``).
    - ``x`` lines are records without rows. An exited or renamed process shows in its rows; any other reason
      (``denied``) becomes a warning.
    - An unterminated last line is a reject: its last number may be truncated.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> log = log_from_text("#T 1000000000 5 0 b\\nt 8 9 70 S 1 30 4 - 0 worker\\n#END stopped\\n", "tasks.log")
    >>> parse(log).tables["tasks"].select("tid", "utime_ticks", "guest_time_ticks", "comm").rows()
    [(9, 30, None, 'worker')]
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed, split_rejects, to_parsed
from pipeline.parse.thread_roles import NAME, PROGRAM, with_derived_roles

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


def parse(log: Log, **_options: object) -> Parsed:
    """Parse a tasks.log. Its sentinels are UTC, so ``date`` and ``tz`` are not used."""
    body = log.body()
    if body.height and not log.has_sentinels:
        raise UnknownFormatError(log.file, texts.NOT_TASKS_LOG, int(body["line"][0]))

    kind = pl.col("text").str.extract(r"^(cpu|[pitcvxk])(?:[0-9]* |\s)")
    reason = first_of(
        (log.is_unterminated_line, texts.TRUNCATED),
        (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
        (pl.col("tick").is_null(), texts.BEFORE_FIRST_TICK),
        (pl.col("text").str.contains("\0", literal=True), texts.NUL_BYTES),
        (pl.col("kind").is_null(), texts.UNKNOWN_RECORD),
    )
    body, rejected = split_rejects(body.with_columns(kind=kind), reason)
    frames, rejects, impossible, limit = {}, [rejected], [], MAX_NUMBER
    for kind in ("cpu", *(kind for kind in LINE_FORMATS if kind != "cpu")):
        lines = body.filter(pl.col("kind") == kind)
        frames[kind], rejected = _parse_lines(lines, kind, *LINE_FORMATS[kind], limit)
        rejects.append(rejected)
        if kind == "cpu":
            limit = _max_cpu_ticks(frames[kind])
        if kind not in UNLIMITED:
            is_impossible = pl.col("reason").is_in([texts.TOO_LARGE, texts.IMPOSSIBLE])
            impossible.append(rejected.filter(is_impossible)["line"])
    lines = pl.concat(impossible)
    if len(lines):
        first = int(lines.min())  # type: ignore[arg-type]
        damage = texts.impossible_counters(log.file, len(lines), first)
        log = replace(log, damage=(*log.damage, damage), warnings=(*log.warnings, damage))
    tables = {
        "tasks": _threads(log, frames),
        "task_processes": _processes(log, frames),
        "cpus": frames["cpu"],
        "kernel_counters": frames["k"],
    }
    return to_parsed(
        log,
        "tasks",
        {
            name: log.with_timestamps(frame)
            .rename({"tick": "snapshot"})
            .sort("line", maintain_order=True)
            for name, frame in tables.items()
        },
        records=pl.concat(frame["line"] for frame in frames.values()),
        rejects=pl.concat(rejects),
        snapshots=log.ticks.height,
        warnings=_access_warnings(log, frames["x"]),
    )


def _max_cpu_ticks(cpus: pl.DataFrame) -> int:
    """The most that one process can have used, by the ``cpu`` lines of the log."""
    states = pl.sum_horizontal(pl.col(f"{state}_ticks").fill_null(0) for state in ALL_STATES)
    total = cpus.filter(pl.col("cpu") == "cpu").select(states.max()).item()
    return MAX_NUMBER if total is None else min(MAX_CPU_SHARE * total, MAX_NUMBER)


def _parse_lines(
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


def _threads(log: Log, frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """``t`` lines joined with ``v`` lines of the same thread; without ``v`` lines roles are derived."""
    key = ["pid", "tid", "starttime_ticks"]
    if frames["v"].is_empty():
        return with_derived_roles(frames["t"], frames["c"])
    return _with_latest(log, frames["t"], frames["v"].drop("line", "found_by"), key)


def _processes(log: Log, frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """``p`` lines joined with ``i``, ``c`` and the leader's ``v`` lines of the same process."""
    key = ["tick", "pid", "starttime_ticks"]
    counters = frames["i"].rename({"line": "i_line"})
    rows = (
        frames["p"]
        .join(counters, on=key, how="full", coalesce=True)
        .with_columns(line=pl.coalesce("line", "i_line"))
        .drop("i_line")
    )
    leaders = frames["v"].filter(pl.col("tid") == pl.col("pid"))
    rows = _with_latest(log, rows, frames["c"].drop("line"), key[1:])
    if frames["v"].is_empty():
        is_machine = pl.col("command_line").str.contains(PROGRAM)
        return rows.with_columns(
            virtual_server_name=pl.when(is_machine).then(pl.col("command_line").str.extract(NAME))
        )
    return _with_latest(log, rows, leaders.select(*key, "virtual_server_name"), key[1:])


def _with_latest(
    log: Log, rows: pl.DataFrame, earlier: pl.DataFrame, key: list[str]
) -> pl.DataFrame:
    """``rows`` with the columns of the latest of ``earlier`` with equal boot and ``key``, at or before the tick."""
    boots = log.ticks.select("tick", boot=pl.col("boot_id").forward_fill().fill_null(""))
    by = ["boot", *key]
    earlier = earlier.join(boots, on="tick", how="left", maintain_order="left")
    return (
        rows.join(boots, on="tick", how="left")
        .sort("tick", "line")
        .join_asof(
            earlier.sort("tick", maintain_order=True).unique(
                [*by, "tick"], keep="last", maintain_order=True
            ),
            on="tick",
            by=by,
            strategy="backward",
            check_sortedness=False,
        )
        .drop("boot")
    )


def _access_warnings(log: Log, lines: pl.DataFrame) -> list[str]:
    """One warning per reason: how often something could not be read."""
    counted = (
        lines.filter(~pl.col("reason").str.strip_chars().is_in(["gone", "renamed"]))
        .group_by("reason", maintain_order=True)
        .agg(
            pl.len(),
            pl.struct("pid", "starttime_ticks").n_unique().alias("processes"),
            pl.min("line"),
        )
        .sort("line")
    )
    return [
        f"{log.file}:{line}: {texts.not_readable(reason.strip(), times, processes)}"
        for reason, times, processes, line in counted.rows()
    ]
