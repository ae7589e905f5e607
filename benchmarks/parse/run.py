"""Speed and memory of the parsers: relative to jc, to a reader of the finished table, and to the parsers of before.

Times are CPU seconds in a process that has read the log once. With ``--large`` the sizes are those of the limits
(0.8, 3 and 10 GB); logs are written to the folder for temporary files (``TMPDIR``), one at a time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.measure import MB, Result, markdown, quantity, queuevisor
from benchmarks.parse.logs import LOGS, write_log

JC_MB = (8, 50)
MIN_JC = {8: 280, 50: 400}
"""MB of a top log → how many times faster than jc."""
MAX_FLOOR = 2.5
MIN_SPEEDUP = {
    "iotop": 3, "block": 3, "tasks": 3, "httperf": 1.7, "access": 1.5, "general": 1.5, "sysbench": 1.5
}  # fmt: skip
"""Kind → how many times faster than the parsers before."""
MAX_PER_MB = 1.1
"""CPU time per MB of a large log relative to 50 MB."""
MAX_LOOP = 2
SCRIPT = "parse/time_parse.py"
START_BYTES = 50_000
"""A log whose CPU time is that of the start."""
LARGE_MB, QUICK_MB = 800, 200
TOP_SIZES_MB = (800, 3_000, 10_000)
MAX_TOP_MB, MAX_KIND_MB = 600, 1_000
MAX_GROWTH = 1.2
"""Peak memory of the largest log of top relative to the smallest."""


def measure_all(
    folder: Path, *, large: bool, scale: float = 1.0
) -> tuple[list[Result], dict[str, str]]:
    """The results, and the tables of docs/benchmarks/parse.md by their names; ``scale`` shrinks the logs for tests."""
    sizes = {mb: int(mb * scale * MB) for mb in (*JC_MB, QUICK_MB, *TOP_SIZES_MB)}
    times = 5 if scale == 1 else 1
    results = [
        *_against_jc(folder, sizes, times),
        *_against_before(folder, sizes[50], times),
        *_against_loop(folder, sizes[50], times),
    ]
    rows = [result.cells() for result in results]
    blocks = {"parse": markdown(measure.HEADINGS, rows)}
    memory, table = _memory(folder, sizes, large)
    blocks["memory"] = table
    return results + memory, blocks


def _timed(
    reader: str, kind: str, path: Path, times: int, tree: Path = measure.ROOT
) -> dict[str, Any]:
    return measure.timed_script(SCRIPT, reader, kind, path, times, tree=tree)


def _against_jc(folder: Path, sizes: dict[int, int], times: int) -> Iterator[Result]:
    """Logs of top: ours, the peer's, ours again; the larger of ours counts."""
    path = folder / "top.log"
    for mb in JC_MB:
        size = write_log("top", path, sizes[mb])
        before = _timed("ours", "top", path, times)
        peer = _timed("jc", "top", path, 1)
        after = _timed("ours", "top", path, times)
        same = ("main_rows", "cpu_percent")
        assert [before[name] for name in same] == [peer[name] for name in same], (before, peer)
        ours = max(before["cpu_s"], after["cpu_s"])
        yield Result(
            f"top, {size / MB:.0f} MB: CPU time", ours, f"jc {measure.metadata.version('jc')}",
            peer["cpu_s"], noise=measure.spread([before["cpu_s"], after["cpu_s"]]), at_least=MIN_JC[mb],
        )  # fmt: skip
    _timed("finish", "top", path, 1)
    pair = measure.in_turns(
        lambda: _timed("ours", "top", path, times)["cpu_s"],
        lambda: _timed("floor", "top", path, times)["cpu_s"],
        3,
    )
    yield Result(
        f"top, {size / MB:.0f} MB: CPU time", pair.ours, "Polars read_csv of the finished table", pair.theirs,
        noise=pair.noise, at_most=MAX_FLOOR,
    )  # fmt: skip
    for left in folder.glob("top.*"):
        left.unlink()


def _against_before(folder: Path, size: int, times: int) -> Iterator[Result]:
    """Each kind: ours and the parsers of before, in turns."""
    tree = measure.tree_before()
    for kind in LOGS:
        path = folder / f"{kind}.log"
        length = write_log(kind, path, size)
        if tree is not None:
            pair = measure.in_turns(
                lambda kind=kind, path=path: _timed("ours", kind, path, min(times, 3))["cpu_s"],
                lambda kind=kind, path=path: _timed("ours", kind, path, min(times, 3), tree)[
                    "cpu_s"
                ],
                2,
            )
            yield Result(
                f"{kind}, {length / MB:.0f} MB ({length / MB / pair.ours:.0f} MB/s): CPU time", pair.ours,
                f"parser before ({measure.BEFORE})", pair.theirs, noise=pair.noise,
                at_least=MIN_SPEEDUP.get(kind, 1),
            )  # fmt: skip
        path.unlink()


def _against_loop(folder: Path, size: int, times: int) -> Iterator[Result]:
    path = folder / "statements.log"
    length = write_log("statements", path, size)
    pair = measure.in_turns(
        lambda: _timed("ours", "general", path, min(times, 3))["cpu_s"],
        lambda: _timed("loop", "general", path, min(times, 3))["cpu_s"],
        2,
    )
    path.unlink()
    yield Result(
        f"general, statements of two lines, {length / MB:.0f} MB: CPU time", pair.ours,
        "loop over its lines", pair.theirs, noise=pair.noise, at_most=MAX_LOOP,
    )  # fmt: skip


def _memory(folder: Path, sizes: dict[int, int], large: bool) -> tuple[list[Result], str]:
    """``queuevisor parse KIND LOG -o FILE.parquet``: CPU time per MB and peak memory by the size of the log."""
    small, results, rows = {}, [], []
    kinds = ["top", *(kind for kind in LOGS if kind != "top")] if large else ["top"]
    for kind in kinds:
        chosen = TOP_SIZES_MB if kind == "top" and large else (LARGE_MB,) if large else (QUICK_MB,)
        path = folder / f"{kind}.log"
        write_log(kind, path, START_BYTES)
        arguments = (
            "parse",
            kind,
            path,
            "-o",
            folder / "table.parquet",
            "--date",
            "2026-11-22",
            "--tz",
            "UTC",
        )
        start = queuevisor(*arguments)
        for mb in (50, *chosen):
            if shutil.disk_usage(folder).free < 2 * sizes[mb]:
                rows.append([kind, f"{mb:,} MB", "not enough space", "", "", ""])
                continue
            length = write_log(kind, path, sizes[mb])
            cost = queuevisor(*arguments)
            output = sum(file.stat().st_size for file in folder.glob("table*.parquet"))
            for file in (path, *folder.glob("table*.parquet")):
                file.unlink()
            per_mb = 1000 * (cost.cpu_s - start.cpu_s) / (length / MB)
            rows.append(
                [kind, f"{length / MB:,.0f} MB", quantity(cost.cpu_s, "s"), f"{per_mb:.2f} ms",
                 quantity(cost.peak_mb, "MB"), quantity(output / MB, "MB")]
            )  # fmt: skip
            if mb == 50:
                small = {"per_mb": per_mb, "peak": cost.peak_mb}
                continue
            what = f"{kind}, {length / MB:,.0f} MB to Parquet"
            limit = MAX_TOP_MB if kind == "top" else MAX_KIND_MB
            results.append(
                Result(
                    f"{what}: peak memory",
                    cost.peak_mb,
                    "50 MB",
                    small["peak"],
                    "MB",
                    at_most_value=limit,
                )
            )
            if kind == "top" and mb in (QUICK_MB, LARGE_MB):
                results.append(
                    Result(
                        f"{what}: CPU time per MB",
                        per_mb,
                        "50 MB",
                        small["per_mb"],
                        "ms",
                        at_most=MAX_PER_MB,
                    )
                )
                smallest = cost.peak_mb
            elif kind == "top" and mb == TOP_SIZES_MB[-1]:
                results.append(
                    Result(
                        f"{what}: peak memory",
                        cost.peak_mb,
                        f"{LARGE_MB} MB",
                        smallest,
                        "MB",
                        at_most=MAX_GROWTH,
                    )
                )
    headings = [
        "kind",
        "log",
        "CPU time",
        "CPU time per MB, without the start",
        "peak memory",
        "Parquet",
    ]
    return results, markdown(headings, rows)
