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

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed, split_rejects, to_parsed
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import read_whole
from pipeline.parse.thread_roles import (
    NAME,
    PROGRAM,
    has_vcpu_name,
    machines_of,
    with_derived_roles,
)

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
CARRIED_KEYS = {"c": ("pid", "starttime_ticks"), "v": ("pid", "tid", "starttime_ticks")}
"""Columns that identify, within a boot, what a record describes until the next one of that type."""


def parse(log: Log, **_options: object) -> Parsed:
    """Parse a tasks.log. Its sentinels are UTC, so ``date`` and ``tz`` are not used."""
    return read_whole(Reader(log.file), log)


class Reader:
    """Reads a tasks.log piece by piece (:class:`pipeline.parse.reader.Reader`)."""

    START = None
    NEEDS_SURVEY = True

    def __init__(self, file: str, **_options: object):
        self.file = file
        self._surveyed: Records | None = None
        self._total_ticks: int | None = None
        self._roles = RoleFacts()
        self._boot = ""
        self._latest: dict[str, pl.DataFrame] = {}
        self._impossible: list[int] = []
        """How many lines have impossible counters, and the first one."""
        self._unreadable: dict[str, tuple[int, set, int]] = {}

    def survey(self, piece: Piece) -> None:
        """The time of all CPUs, and what roles are derived from where no ``v`` line gives them."""
        records = self._surveyed = Records(piece)
        total = _total_cpu_ticks(records.good("cpu"))
        if total is not None:
            self._total_ticks = max(total, self._total_ticks or 0)
        self._roles.add(records)

    def read(self, piece: Piece) -> Parsed:
        """Tables of the piece, with the latest command lines and roles of the pieces before."""
        surveyed, self._surveyed = self._surveyed, None
        records = surveyed if surveyed and surveyed.piece is piece else Records(piece)
        log = records.log
        max_ticks = _max_cpu_ticks(self._total_ticks)
        frames = {kind: records.good(kind, max_ticks) for kind in LINE_FORMATS}
        self._note(records, frames["x"])
        boot = pl.col("boot_id").forward_fill().fill_null(self._boot)
        boots = log.ticks.select("tick", boot=boot)
        if boots.height:
            self._boot = boots["boot"][-1]
        commands = self._latest_of("c", frames["c"].drop("line"), boots)
        roles = self._latest_of("v", frames["v"].drop("line", "found_by"), boots)
        tables = {
            "tasks": self._threads(frames["t"], roles, boots),
            "task_processes": self._processes(frames, commands, roles, boots),
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
            rejects=records.rejects(),
            snapshots=log.ticks.height,
        )

    def finish(self) -> tuple[list[str], list[str]]:
        """One warning per reason why something was not readable; damage by impossible counters."""
        damage = []
        if self._impossible:
            damage.append(texts.impossible_counters(self.file, *self._impossible))
        by_line = sorted(self._unreadable.items(), key=lambda item: item[1][2])
        warnings = [
            f"{self.file}:{line}: {texts.not_readable(reason.strip(), times, len(processes))}"
            for reason, (times, processes, line) in by_line
        ]
        return warnings, damage

    def _note(self, records: Records, exits: pl.DataFrame) -> None:
        """Count impossible counters, and what could not be read by reason."""
        lines = records.impossible()
        if lines.len():
            count, first = self._impossible or (0, int(lines.min()))  # type: ignore[arg-type]
            self._impossible = [count + lines.len(), first]
        is_refused = ~pl.col("reason").str.strip_chars().is_in(["gone", "renamed"])
        refused = exits.filter(is_refused) if exits.height else exits
        for line, reason, *process in refused.select(
            "line", "reason", "pid", "starttime_ticks"
        ).rows():
            times, processes, first = self._unreadable.get(reason, (0, set(), line))
            processes.add(tuple(process))
            self._unreadable[reason] = times + 1, processes, first

    def _latest_of(self, kind: str, lines: pl.DataFrame, boots: pl.DataFrame) -> pl.DataFrame:
        """``lines`` of the piece with their boot, below the latest one of each process or thread before it."""
        key = ["boot", *CARRIED_KEYS[kind]]
        lines = lines.join(boots, on="tick", how="left", maintain_order="left")
        lines = lines.unique([*key, "tick"], keep="last", maintain_order=True)
        earlier = self._latest.get(kind)
        if earlier is not None:
            lines = pl.concat([earlier, lines]) if lines.height else earlier
        self._latest[kind] = lines.unique(key, keep="last", maintain_order=True).sort("tick")
        return lines

    def _threads(
        self, threads: pl.DataFrame, roles: pl.DataFrame, boots: pl.DataFrame
    ) -> pl.DataFrame:
        """``t`` lines joined with ``v`` lines of the same thread; without ``v`` lines roles are derived."""
        if not self._roles.are_recorded:
            return with_derived_roles(threads, self._roles.machines, self._roles.named)
        return _with_latest(threads, roles, list(CARRIED_KEYS["v"]), boots)

    def _processes(
        self,
        frames: dict[str, pl.DataFrame],
        commands: pl.DataFrame,
        roles: pl.DataFrame,
        boots: pl.DataFrame,
    ) -> pl.DataFrame:
        """``p`` lines joined with ``i``, ``c`` and the leader's ``v`` lines of the same process."""
        key = ["tick", *CARRIED_KEYS["c"]]
        counters = frames["i"].rename({"line": "i_line"})
        rows = (
            frames["p"]
            .join(counters, on=key, how="full", coalesce=True)
            .with_columns(line=pl.coalesce("line", "i_line"))
            .drop("i_line")
        )
        rows = _with_latest(rows, commands, key[1:], boots)
        if not self._roles.are_recorded:
            is_machine = pl.col("command_line").str.contains(PROGRAM)
            return rows.with_columns(
                virtual_server_name=pl.when(is_machine).then(
                    pl.col("command_line").str.extract(NAME)
                )
            )
        leaders = roles.filter(pl.col("tid") == pl.col("pid"))
        return _with_latest(
            rows, leaders.select("boot", *key, "virtual_server_name"), key[1:], boots
        )


class Records:
    """The lines of a piece by type of record, each type read when it is wanted.

    Parameters
    ----------
    piece : Piece

    Raises
    ------
    UnknownFormatError
        If there are lines, but no sentinels.
    """

    def __init__(self, piece: Piece):
        self.piece, self.log = piece, piece.log
        body = self.log.body()
        if body.height and not self.log.has_sentinels:
            raise UnknownFormatError(self.log.file, texts.NOT_TASKS_LOG, int(body["line"][0]))
        kind = pl.col("text").str.extract(r"^(cpu|[pitcvxk])(?:[0-9]* |\s)")
        reason = first_of(
            (self.log.is_unterminated_line, texts.TRUNCATED),
            (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
            (pl.col("tick").is_null(), texts.BEFORE_FIRST_TICK),
            (pl.col("text").str.contains("\0", literal=True), texts.NUL_BYTES),
            (pl.col("kind").is_null(), texts.UNKNOWN_RECORD),
        )
        self._body, rejected = split_rejects(body.with_columns(kind=kind), reason)
        self._rejects = {"": rejected}
        self._good: dict[str, pl.DataFrame] = {}

    def lines(self, kind: str) -> pl.DataFrame:
        """Lines of a type."""
        return self._body.filter(pl.col("kind") == kind)

    def good(self, kind: str, max_cpu_ticks: int = MAX_NUMBER) -> pl.DataFrame:
        """Records of a type as typed rows. ``max_cpu_ticks``: the most that one process can have used."""
        if kind not in self._good:
            self._good[kind], self._rejects[kind] = _parse_lines(
                self.lines(kind), kind, *LINE_FORMATS[kind], max_cpu_ticks
            )
        return self._good[kind]

    def rejects(self) -> pl.DataFrame:
        """Lines that are no records, with the reason; complete when all types were read."""
        return pl.concat(self._rejects.values())

    def impossible(self) -> pl.Series:
        """Lines with counters that cannot be."""
        rejects = [frame for kind, frame in self._rejects.items() if kind not in UNLIMITED]
        is_impossible = pl.col("reason").is_in([texts.TOO_LARGE, texts.IMPOSSIBLE])
        return pl.concat(rejects).filter(is_impossible)["line"]


class RoleFacts:
    """What roles are derived from where no line of the log gives them (``thread_roles``)."""

    def __init__(self):
        self.are_recorded = False
        """Whether a ``v`` line is anywhere."""
        self.machines = machines_of(
            pl.DataFrame(schema={"pid": pl.Int64, "command_line": pl.String})
        )
        self.named = pl.Series(dtype=pl.Int64)
        """Processes of which a vCPU has a name of its own."""

    def add(self, records: Records) -> None:
        """What the next piece says."""
        self.are_recorded = self.are_recorded or records.good("v").height > 0
        if self.are_recorded:
            return
        machines = [self.machines, machines_of(records.good("c"))]
        self.machines = pl.concat(machines).unique("owner", keep="last", maintain_order=True)
        named = records.lines("t").filter(pl.col("text").str.contains("CPU", literal=True))
        parts = pl.col("text").str.extract_groups(LINE_FORMATS["t"][1]).struct
        is_named = has_vcpu_name(parts.field(str(len(_T))))
        pids = named.filter(is_named).select(to_int64(parts.field("1"))).to_series()
        self.named = pl.concat([self.named, pids.rename("")]).unique()


def _total_cpu_ticks(cpus: pl.DataFrame) -> int | None:
    """The largest sum of all states by the ``cpu`` lines."""
    states = pl.sum_horizontal(pl.col(f"{state}_ticks").fill_null(0) for state in ALL_STATES)
    return cpus.filter(pl.col("cpu") == "cpu").select(states.max()).item()


def _max_cpu_ticks(total: int | None) -> int:
    """The most that one process can have used, by the ``cpu`` lines of the log."""
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


def _with_latest(
    rows: pl.DataFrame, earlier: pl.DataFrame, key: list[str], boots: pl.DataFrame
) -> pl.DataFrame:
    """``rows`` with the columns of the latest of ``earlier`` with equal boot and ``key``, at or before the tick."""
    return (
        rows.join(boots, on="tick", how="left")
        .sort("tick", "line")
        .join_asof(
            earlier, on="tick", by=["boot", *key], strategy="backward", check_sortedness=False
        )
        .drop("boot")
    )
