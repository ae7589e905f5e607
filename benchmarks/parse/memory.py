"""Peak memory and CPU time of ``queuevisor parse KIND LOG`` by the size of the log, in a process of its own.

Top is measured twice: with the tables dropped (without ``-o``) and with the tables written as Parquet.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import MB, Cost, Result, markdown, quantity, queuevisor, run
from benchmarks.parse.logs import KIND_OF, LOGS

START_BYTES = 50_000
"""A log whose CPU time is that of the start."""
SMALL_MB, QUICK_MB, LARGE_MB = 50, 200, 800
TOP_SIZES_MB = (LARGE_MB, 3_000, 10_000)
LARGE_LOGS = (
    "top",
    "iotop",
    "block",
    "diskstats",
    *(k for k in LOGS if k not in ("top", "iotop", "block")),
)
"""Logs of ``--large``."""  # fmt: skip
MAX_TOP_MB, MAX_KIND_MB = 600, 1_000
MAX_GROWTH = 1.2
"""Peak memory of the largest log of top relative to the smallest."""
MAX_PER_MB = 1.1
"""CPU time per MB of a large log relative to 50 MB."""
DROPPED, PARQUET = "dropped", "Parquet"
HEADINGS = [
    "log", "size", "tables", "CPU time", "CPU time per MB, without the start", "peak memory", "Parquet files"
]  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """What reading one log took."""

    log: str
    tables: str
    mb: int
    """Nominal size."""
    size_mb: float
    cpu_s: float
    per_mb_ms: float
    """CPU time per MB, without that of a log of ``START_BYTES``."""
    peak_mb: float
    written_mb: float

    def cells(self) -> list[str]:
        """The row of the table."""
        return [
            self.log, f"{self.size_mb:,.0f} MB", self.tables, quantity(self.cpu_s, "s"), f"{self.per_mb_ms:.2f} ms",
            quantity(self.peak_mb, "MB"), quantity(self.written_mb, "MB") if self.tables == PARQUET else "",
        ]  # fmt: skip


def measure_memory(folder: Path, *, large: bool, scale: float = 1.0) -> tuple[list[Result], str]:
    """The results, and the table of docs/benchmarks/parse.md; ``scale`` shrinks the logs for tests."""
    readings: list[Reading] = []
    rows = []
    for log in LARGE_LOGS if large else ("top",):
        sizes = TOP_SIZES_MB if log == "top" and large else (LARGE_MB,) if large else (QUICK_MB,)
        outputs = (DROPPED, PARQUET) if log == "top" and large else (PARQUET,)
        for reading in measure_log(folder, log, (SMALL_MB, *sizes), outputs, scale):
            if isinstance(reading, Reading):
                readings.append(reading)
                rows.append(reading.cells())
            else:
                rows.append([log, f"{reading:,} MB", "not enough space", "", "", "", ""])
    return list(compare(readings)), markdown(HEADINGS, rows)


def measure_log(
    folder: Path, log: str, sizes_mb: Sequence[int], outputs: Sequence[str], scale: float = 1.0
) -> Iterator[Reading | int]:
    """Read a log of each size, once for each kind of output; the size itself where the disk has no space for it."""
    starts = {tables: _read(folder, log, START_BYTES, tables) for tables in outputs}
    path = folder / f"{log}.log"
    for mb in sizes_mb:
        size = int(mb * scale * MB)
        if shutil.disk_usage(folder).free < 2 * size:
            yield mb
            continue
        length = write(log, path, size) / MB
        for tables in outputs:
            what = f"parse {log}, {length:,.0f} MB, tables {tables}"
            print(f"{what} …", file=sys.stderr, flush=True)
            cost, written = _parse(folder, log, path, tables)
            per_mb_ms = 1e3 * (cost.cpu_s - starts[tables]) / length
            reading = Reading(
                log, tables, mb, length, cost.cpu_s, per_mb_ms, cost.peak_mb, written / MB
            )
            print(f"{what}: {', '.join(reading.cells()[3:])}", file=sys.stderr, flush=True)
            yield reading
        path.unlink()


def write(log: str, path: Path, size: int) -> int:
    """Write a log by another process, and return its bytes: the peak of a child includes that of its parent."""
    return int(run([sys.executable, "-m", "benchmarks.parse.logs", log, path, str(size)]).output)


def _read(folder: Path, log: str, size: int, tables: str) -> float:
    """CPU seconds of reading a small log: those of the start."""
    path = folder / f"{log}.log"
    write(log, path, size)
    return _parse(folder, log, path, tables)[0].cpu_s


def _parse(folder: Path, log: str, path: Path, tables: str) -> tuple[Cost, int]:
    """What the command took, and the bytes of the files that it wrote, which are removed."""
    out = ("-o", folder / "table.parquet") if tables == PARQUET else ()
    cost = queuevisor(
        "parse", KIND_OF.get(log, log), path, *out, "--date", "2026-11-22", "--tz", "UTC"
    )
    written = 0
    for file in folder.glob("table*.parquet"):
        written += file.stat().st_size
        file.unlink()
    return cost, written


def compare(readings: list[Reading]) -> Iterator[Result]:
    """Peaks against their limits; of top also growth of the peak and of the CPU time per MB."""
    by_place = {(each.log, each.tables, each.mb): each for each in readings}
    for each in readings:
        small = by_place.get((each.log, each.tables, SMALL_MB), each)
        if each is small:
            continue
        what = f"{each.log}, {each.size_mb:,.0f} MB, tables {each.tables}"
        limit = MAX_TOP_MB if each.log == "top" else MAX_KIND_MB
        yield Result(
            f"{what}: peak memory", each.peak_mb, f"{small.size_mb:,.0f} MB", small.peak_mb, "MB", at_most_value=limit
        )  # fmt: skip
        if each.log == "top" and each.mb in (QUICK_MB, LARGE_MB):
            yield Result(
                f"{what}: CPU time per MB", each.per_mb_ms, f"{small.size_mb:,.0f} MB", small.per_mb_ms, "ms",
                at_most=MAX_PER_MB,
            )  # fmt: skip
        medium = by_place.get((each.log, each.tables, LARGE_MB))
        if each.mb == TOP_SIZES_MB[-1] and medium is not None:
            yield Result(
                f"{what}: peak memory", each.peak_mb, f"{medium.size_mb:,.0f} MB", medium.peak_mb, "MB",
                at_most=MAX_GROWTH,
            )  # fmt: skip
