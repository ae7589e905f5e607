"""Speed and memory of the parsers: relative to jc, to a reader of the finished table, and to the parsers of before.

Times are CPU seconds in a process that has read the log once. With ``--large`` the sizes are those of the limits
(0.8, 3 and 10 GB); logs are written to the folder for temporary files (``TMPDIR``), one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.measure import MB, Result
from benchmarks.parse.logs import LOGS, write_log
from benchmarks.parse.memory import measure_memory

JC_MB = (8, 50)
MIN_JC = {8: 280, 50: 400}
"""MB of a top log → how many times faster than jc."""
MAX_FLOOR = 2.5
MIN_SPEEDUP = {
    "iotop": 3, "block": 3, "tasks": 3, "httperf": 1.7, "access": 1.5, "general": 1.5, "sysbench": 1.5
}  # fmt: skip
"""Kind → how many times faster than the parsers before."""
MAX_LOOP = 2
SCRIPT = "parse/time_parse.py"


def measure_all(
    folder: Path, *, large: bool, scale: float = 1.0
) -> tuple[list[Result], dict[str, str]]:
    """The results, and the tables of docs/benchmarks/parse.md by their names; ``scale`` shrinks the logs for tests."""
    sizes = {mb: int(mb * scale * MB) for mb in JC_MB}
    times = 5 if scale == 1 else 1
    results = [
        *_against_jc(folder, sizes, times),
        *_against_before(folder, sizes, times),
        *_against_loop(folder, sizes[50], times),
    ]
    rows = [result.cells() for result in results]
    blocks = {"parse": measure.markdown(measure.HEADINGS, rows)}
    memory, blocks["memory"] = measure_memory(folder, large=large, scale=scale)
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


def _against_before(folder: Path, sizes: dict[int, int], times: int) -> Iterator[Result]:
    """Each kind, top in both sizes: ours and the parsers of before, in turns."""
    tree = measure.tree_before()
    if tree is None:
        return
    for kind, mb in (("top", 8), *((kind, 50) for kind in LOGS)):
        path = folder / f"{kind}.log"
        length = write_log(kind, path, sizes[mb])

        def cpu_s(code: Path, kind: str = kind, path: Path = path) -> float:
            return _timed("ours", kind, path, min(times, 3), code)["cpu_s"]

        pair = measure.in_turns(lambda: cpu_s(measure.ROOT), lambda: cpu_s(tree), 2)
        yield Result(
            f"{kind}, {length / MB:.0f} MB ({length / MB / pair.ours:.0f} MB/s): CPU time", pair.ours,
            f"parser before ({measure.BEFORE})", pair.theirs, noise=pair.noise, at_least=MIN_SPEEDUP.get(kind, 1),
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
