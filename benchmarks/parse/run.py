"""How fast logs are read: top beside jc on the same log in the same run, and megabytes a second of each kind.

    .venv/bin/python benchmarks/parse/run.py [--beside-mb 8] [--mb 50] [--json FILE]

Times are CPU seconds of this one process with one Polars thread, so that whatever else the machine is at
matters little. Ours is the whole call: the file is opened, decoded, parsed, every line booked, the tables
checked. jc is given the text and returns its list of dictionaries. We run before and after jc, and the
slower of the two medians counts. jc is in the development tools (``make test`` installs them).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"  # before Polars is imported

import jc
from logs import LOGS, log_of_size

from pipeline import parse

MB = 1_000_000
WANTED = 150


def seconds_of(call, times: int) -> tuple[float, Any]:
    """The median of CPU seconds, and what the last call gave."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        answer = call()
        taken.append(time.process_time() - began)
    return sorted(taken)[times // 2], answer


def beside_jc(folder: Path, size: int) -> dict[str, Any]:
    """The same log of top, read by us, by jc, and by us again."""
    text = log_of_size("top", size)
    path = folder / "beside.log"
    path.write_text(text)

    def ours() -> tuple[int, float]:
        table = parse.parse("top", path).tables["top_processes"]
        return table.height, round(table["cpu_percent"].sum(), 1)

    def theirs() -> tuple[int, float]:
        found = jc.parse("top", path.read_text(), quiet=True)
        rows = [row for snapshot in found for row in snapshot["processes"]]
        return len(rows), round(sum(row["percent_cpu"] for row in rows), 1)

    ours()
    before, answer = seconds_of(ours, 9)
    other, other_answer = seconds_of(theirs, 1)
    after, _ = seconds_of(ours, 9)
    assert answer == other_answer, (answer, other_answer)
    return {
        "bytes": len(text),
        "rows": answer[0],
        "ours_s": max(before, after),
        "jc_s": other,
        "ratio": other / max(before, after),
    }


def of_each_kind(folder: Path, size: int) -> dict[str, dict[str, Any]]:
    """CPU seconds for a log of each kind, and what came of it."""
    result = {}
    for kind in LOGS:
        path = folder / f"{kind}.log"
        path.write_text(log_of_size(kind, size))
        taken, parsed = seconds_of(
            lambda kind=kind, path=path: parse.parse(kind, path, date="2026-11-22", tz="UTC"), 3
        )
        assert not parsed.rejects.height, (kind, parsed.rejects.head(3).rows())
        result[kind] = {
            "bytes": path.stat().st_size,
            "lines": parsed.lines,
            "rows": sum(frame.height for frame in parsed.tables.values()),
            "seconds": taken,
            "mb_per_s": path.stat().st_size / MB / taken,
        }
        path.unlink()
        print(f"{kind}: {result[kind]['mb_per_s']:.0f} MB/s", file=sys.stderr, flush=True)
    return result


def page(found: dict[str, Any]) -> str:
    """The tables as docs/benchmarks/parse.md has them."""
    beside = found["beside_jc"]
    lines = [
        "| top log | Queuevisor | jc " + version("jc") + " | ratio |",
        "|---|---|---|---|",
        f"| {beside['bytes'] / MB:.1f} MB, {beside['rows']:,} rows | {beside['ours_s']:.3f} s, "
        f"{beside['bytes'] / MB / beside['ours_s']:.0f} MB/s | {beside['jc_s']:.1f} s, "
        f"{beside['bytes'] / MB / beside['jc_s']:.2f} MB/s | {beside['ratio']:.0f} × |",
        "",
        "| kind | log | lines | rows | CPU time | MB/s |",
        "|---|---|---|---|---|---|",
    ]
    for kind, row in found["kinds"].items():
        lines.append(
            f"| {kind} | {row['bytes'] / MB:.1f} MB | {row['lines']:,} | {row['rows']:,} | "
            f"{row['seconds']:.2f} s | {row['mb_per_s']:.0f} |"
        )
    lines += ["", f"Peak memory of the whole run: {found['peak_mb']:,.0f} MB."]
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and say whether it is enough."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument(
        "--beside-mb", type=float, default=8, help="size of the log that jc reads too"
    )
    parser.add_argument("--mb", type=float, default=50, help="size of the log of each kind")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "python": platform.python_version(),
            "polars": version("polars"),
            "beside_jc": beside_jc(Path(folder), int(given.beside_mb * MB)),
            "kinds": of_each_kind(Path(folder), int(given.mb * MB)),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB,
        }
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    print(page(found))
    enough = found["beside_jc"]["ratio"] >= WANTED
    print(f"\nSet: at least {WANTED} times jc. Met: {found['beside_jc']['ratio']:.0f} times.")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
