"""Speed of the parsers: two relative to a peer on the same log in the same run, and MB/s of each kind of log.

    .venv/bin/python benchmarks/parse/run.py [--jc-mb 8] [--mb 50] [--json FILE]

Times are CPU seconds of this process with one Polars thread, so that other work on the machine has little effect.
Queuevisor's time is that of the whole call: open, decode, parse, account for every line, check the tables. jc gets
the text of a log of top and returns a list of dictionaries. A general log with statements of two lines is also read
by a loop over its lines, which reads one time format only. Queuevisor is timed before and after the peer, and the
larger of the two medians is used. jc is among the development tools (``make test`` installs them).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import re
import resource
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"  # before Polars is imported

import jc
import polars as pl
from logs import LOGS, log_of_size

from pipeline import parse

MB = 1_000_000
MIN_JC_RATIO, MAX_LOOP_RATIO = 150, 2
HEAD = re.compile(r"(\S+)Z\t *(\d+) ([^\t]+)\t(.*)", re.ASCII)


def median_cpu_s(call, times: int) -> tuple[float, Any]:
    """The median CPU seconds, and the result of the last call."""
    times_s = []
    for _ in range(times):
        began = time.process_time()
        answer = call()
        times_s.append(time.process_time() - began)
    return sorted(times_s)[times // 2], answer


def compare_with_jc(folder: Path, size: int) -> dict[str, Any]:
    """The same log of top, read by Queuevisor, by jc, and by Queuevisor again."""
    text = log_of_size("top", size)
    path = folder / "top.log"
    path.write_text(text)

    def ours() -> tuple[int, float]:
        table = parse.parse_file("top", path).tables["top_processes"]
        return table.height, round(table["cpu_percent"].sum(), 1)

    def theirs() -> tuple[int, float]:
        snapshots = jc.parse("top", path.read_text(), quiet=True)
        rows = [row for snapshot in snapshots for row in snapshot["processes"]]
        return len(rows), round(sum(row["percent_cpu"] for row in rows), 1)

    ours()
    before, answer = median_cpu_s(ours, 9)
    jc_s, jc_answer = median_cpu_s(theirs, 1)
    after, _ = median_cpu_s(ours, 9)
    assert answer == jc_answer, (answer, jc_answer)
    return {
        "bytes": len(text),
        "rows": answer[0],
        "ours_s": max(before, after),
        "jc_s": jc_s,
        "ratio": jc_s / max(before, after),
    }


def compare_with_loop(folder: Path, size: int) -> dict[str, Any]:
    """A general log with statements of two lines, read by Queuevisor, by a loop, and by Queuevisor again."""
    statement = "2026-11-22T21:36:00.{:06d}Z\t   12 Query\tSELECT c\n  FROM sbtest1 WHERE id={}\n"
    count = size // len(statement.format(0, 0))
    path = folder / "statements.log"
    path.write_text("".join(statement.format(n, n) for n in range(count)))

    def ours() -> tuple[int, str]:
        table = parse.parse_file("general", path).tables["requests"]
        return table.height, table["target"][-1]

    def loop() -> tuple[int, str]:
        rows: list[list[Any]] = []
        with path.open() as lines:
            for line in lines:
                m = HEAD.match(line)
                if m:
                    time_utc = dt.datetime.fromisoformat(m[1] + "+00:00")
                    rows.append([time_utc, int(m[2]), m[3], m[4]])
                else:
                    rows[-1][3] += "\n" + line.removesuffix("\n")
        names = ["time", "connection", "command", "target"]
        table = pl.DataFrame(rows, schema=names, orient="row")
        return table.height, table["target"][-1]

    ours()
    before, answer = median_cpu_s(ours, 5)
    loop_s, loop_answer = median_cpu_s(loop, 3)
    after, _ = median_cpu_s(ours, 5)
    assert answer == loop_answer, (answer, loop_answer)
    ours_s = max(before, after)
    bytes_read = path.stat().st_size
    path.unlink()
    return {
        "bytes": bytes_read,
        "lines": 2 * answer[0],
        "ours_s": ours_s,
        "loop_s": loop_s,
        "ratio": loop_s / ours_s,
    }


def measure_each_kind(folder: Path, size: int) -> dict[str, dict[str, Any]]:
    """CPU seconds, lines and rows for a log of each kind."""
    result = {}
    for kind in LOGS:
        path = folder / f"{kind}.log"
        path.write_text(log_of_size(kind, size))
        cpu_s, parsed = median_cpu_s(
            lambda kind=kind, path=path: parse.parse_file(kind, path, date="2026-11-22", tz="UTC"),
            3,
        )
        assert not parsed.rejects.height, (kind, parsed.rejects.head(3).rows())
        result[kind] = {
            "bytes": path.stat().st_size,
            "lines": parsed.lines,
            "rows": sum(frame.height for frame in parsed.tables.values()),
            "seconds": cpu_s,
            "mb_per_s": path.stat().st_size / MB / cpu_s,
        }
        path.unlink()
        print(f"{kind}: {result[kind]['mb_per_s']:.0f} MB/s", file=sys.stderr, flush=True)
    return result


def to_markdown(results: dict[str, Any]) -> str:
    """The tables of docs/benchmarks/parse.md."""
    jc_row, loop_row = results["jc"], results["loop"]
    lines = [
        "| top log | Queuevisor | jc " + version("jc") + " | ratio |",
        "|---|---|---|---|",
        f"| {jc_row['bytes'] / MB:.1f} MB, {jc_row['rows']:,} rows | {jc_row['ours_s']:.3f} s, "
        f"{jc_row['bytes'] / MB / jc_row['ours_s']:.0f} MB/s | {jc_row['jc_s']:.1f} s, "
        f"{jc_row['bytes'] / MB / jc_row['jc_s']:.2f} MB/s | {jc_row['ratio']:.0f} × |",
        "",
        "| general log, statements of two lines | Queuevisor | loop over its lines | ratio |",
        "|---|---|---|---|",
        f"| {loop_row['bytes'] / MB:.1f} MB, {loop_row['lines']:,} lines | {loop_row['ours_s']:.2f} s | "
        f"{loop_row['loop_s']:.2f} s | {loop_row['ratio']:.2f} × |",
        "",
        "| kind | log | lines | rows | CPU time | MB/s |",
        "|---|---|---|---|---|---|",
    ]
    for kind, row in results["kinds"].items():
        lines.append(
            f"| {kind} | {row['bytes'] / MB:.1f} MB | {row['lines']:,} | {row['rows']:,} | "
            f"{row['seconds']:.2f} s | {row['mb_per_s']:.0f} |"
        )
    lines += ["", f"Peak memory of the whole run: {results['peak_mb']:,.0f} MB."]
    return "\n".join(lines)


def main() -> int:
    """Measure and print; 1 if a requirement is not met."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--jc-mb", type=float, default=8, help="size of the log that jc reads")
    parser.add_argument("--mb", type=float, default=50, help="size of the log of each kind")
    parser.add_argument("--json", type=Path, help="write all results to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = {
            "python": platform.python_version(),
            "polars": version("polars"),
            "jc": compare_with_jc(Path(folder), int(options.jc_mb * MB)),
            "loop": compare_with_loop(Path(folder), int(options.mb * MB)),
            "kinds": measure_each_kind(Path(folder), int(options.mb * MB)),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB,
        }
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(to_markdown(results))
    jc_ratio, loop_ratio = (
        results["jc"]["ratio"],
        results["loop"]["ratio"],
    )
    print(
        f"\nRequired: at least {MIN_JC_RATIO} times as fast as jc. Measured: {jc_ratio:.0f} times."
    )
    print(
        f"Required: at most {MAX_LOOP_RATIO} times the time of the loop. Measured: {1 / loop_ratio:.2f} times."
    )
    return 0 if jc_ratio >= MIN_JC_RATIO and 1 / loop_ratio <= MAX_LOOP_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
