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
from pipeline.parse.log import SENTINEL_COLUMNS, Log
from pipeline.parse.parsed import Parsed, to_parsed
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import read_whole
from pipeline.parse.task_pieces import Records, RoleFacts
from pipeline.parse.task_records import ALL_STATES, MAX_CPU_SHARE, MAX_NUMBER
from pipeline.parse.task_rows import max_total_ticks
from pipeline.parse.thread_roles import NAME, PROGRAM, with_derived_roles
from pipeline.parse.tokens import PlainPiece

CARRIED_KEYS = {"c": ("pid", "starttime_ticks"), "v": ("pid", "tid", "starttime_ticks")}
"""Columns that identify, within a boot, what a record describes until the next one of that type."""


def parse(log: Log, **_options: object) -> Parsed:
    """Parse a tasks.log. Its sentinels are UTC, so ``date`` and ``tz`` are not used."""
    return read_whole(Reader(log.file), log)


class Reader:
    """Reads a tasks.log piece by piece (:class:`pipeline.parse.reader.Reader`)."""

    START = None
    NEEDS_SURVEY = True
    SURVEYED = ("_total_ticks", "_roles")

    def __init__(self, file: str, **_options: object):
        self.file = file
        self._surveyed: Records | PlainPiece | None = None
        self._total_ticks: int | None = None
        self._roles = RoleFacts()
        self._boot = ""
        self._latest: dict[str, pl.DataFrame] = {}
        self._impossible: list[int] = []
        """How many lines have impossible counters, and the first one."""
        self._unreadable: dict[str, tuple[int, set, int]] = {}

    def survey(self, piece: Piece) -> None:
        """The time of all CPUs, and what roles are derived from where no ``v`` line gives them."""
        self._surveyed = None
        plain = PlainPiece.of(piece)
        if plain is not None and self._survey_plain(plain):
            if piece.is_last:
                self._surveyed = plain
            else:
                piece.skip(plain.text.line_ends.size)
            return
        records = self._surveyed = Records(piece, plain)
        records.read_cpus()
        total = _total_cpu_ticks(records.good("cpu"))
        if total is not None:
            self._total_ticks = max(total, self._total_ticks or 0)
        self._roles.add(records)

    def _survey_plain(self, plain: PlainPiece) -> bool:
        """The same of a piece without making its records; whether that could be done."""
        if not plain.piece.data.startswith(b"#T ") or not plain.is_terminated[-1]:  # type: ignore[union-attr]
            return False
        total = max_total_ticks(plain)
        if total is None or not self._roles.add_plain(plain):
            return False
        if total:
            self._total_ticks = max(total, self._total_ticks or 0)
        return True

    def read(self, piece: Piece) -> Parsed:
        """Tables of the piece, with the latest command lines and roles of the pieces before."""
        surveyed, self._surveyed = self._surveyed, None
        if surveyed is None or surveyed.piece is not piece:
            surveyed = PlainPiece.of(piece)
        records = surveyed if isinstance(surveyed, Records) else Records(piece, surveyed)
        max_ticks = _max_cpu_ticks(self._total_ticks)
        frames = records.read_all(max_ticks)
        log = records.log
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
                name: _in_order(_with_timestamps(log, frame).rename({"tick": "snapshot"}))
                for name, frame in tables.items()
            },
            records=records.record_lines(),
            more_records=records.more_records,
            rejects=records.rejects(),
            snapshots=log.ticks.height,
        )

    def facts(self) -> object:
        """What the survey says about the pieces so far (``grown.GrowingReader``).

        Roles of the threads of a QEMU that are derived depend on all of the log. The limit of counters only rises,
        which matters where one was above it.
        """
        if not self._roles.are_recorded and self._roles.machines.height:
            return None
        limit = self._total_ticks if self._impossible else None
        return self._roles.are_recorded, self._total_ticks is None, limit

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
        processes, counters = frames["p"], frames["i"].rename({"line": "i_line"})
        if processes.select(key).equals(counters.select(key)):
            rows = processes.hstack(counters.drop("i_line", *key))
        else:
            rows = (
                processes.join(counters, on=key, how="full", coalesce=True)
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


def _with_timestamps(log: Log, frame: pl.DataFrame) -> pl.DataFrame:
    """As ``log.with_timestamps``, without a join where all rows are below the sentinels of the piece."""
    ticks = log.ticks["tick"]
    if not frame.height or not ticks.len() or ticks[-1] - ticks[0] != ticks.len() - 1:
        return log.with_timestamps(frame)
    places = frame["tick"] - ticks[0]
    if places.null_count() or places.min() < 0 or places.max() >= ticks.len():  # type: ignore[operator]
        return log.with_timestamps(frame)
    return frame.hstack(log.ticks.select(SENTINEL_COLUMNS)[places])


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows in the order of their lines."""
    return frame if frame["line"].is_sorted() else frame.sort("line", maintain_order=True)


def _total_cpu_ticks(cpus: pl.DataFrame) -> int | None:
    """The largest sum of all states by the ``cpu`` lines."""
    states = pl.sum_horizontal(pl.col(f"{state}_ticks").fill_null(0) for state in ALL_STATES)
    return cpus.filter(pl.col("cpu") == "cpu").select(states.max()).item()


def _max_cpu_ticks(total: int | None) -> int:
    """The most that one process can have used, by the ``cpu`` lines of the log."""
    return MAX_NUMBER if total is None else min(MAX_CPU_SHARE * total, MAX_NUMBER)


def _with_latest(
    rows: pl.DataFrame, earlier: pl.DataFrame, key: list[str], boots: pl.DataFrame
) -> pl.DataFrame:
    """``rows`` with the columns of the latest of ``earlier`` with equal boot and ``key``, at or before the tick."""
    if earlier.is_empty():
        columns = earlier.drop("boot", "tick", *key).schema.items()
        return rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in columns)
    return (
        rows.join(boots, on="tick", how="left")
        .sort("tick", "line")
        .join_asof(
            earlier, on="tick", by=["boot", *key], strategy="backward", check_sortedness=False
        )
        .drop("boot")
    )
