"""CPU seconds of reading a log in this process, as JSON: by Queuevisor, by jc, or the finished table by Polars.

``time_parse.py (ours|jc|floor|loop|finish) KIND FILE TIMES``; ``finish`` writes what ``floor`` reads next to the log.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HEAD = re.compile(r"(\S+)Z\t *(\d+) ([^\t]+)\t(.*)", re.ASCII)


def ours(kind: str, path: Path) -> dict[str, Any]:
    """The whole call: open, decode, parse, account for every line, check the tables."""
    from pipeline import parse

    parsed = parse.parse_file(kind, path, date="2026-11-22", tz="UTC")
    assert not parsed.rejects.height, parsed.rejects.head(3).rows()
    main = next(iter(parsed.tables.values()))
    cpu = round(main["cpu_percent"].sum(), 1) if kind == "top" else None
    rows = sum(frame.height for frame in parsed.tables.values())
    return {"lines": parsed.lines, "rows": rows, "main_rows": main.height, "cpu_percent": cpu}


def by_jc(kind: str, path: Path) -> dict[str, Any]:
    """jc gets the text and returns a list of dictionaries."""
    import jc

    rows = [
        row
        for snapshot in jc.parse(kind, path.read_text(), quiet=True)
        for row in snapshot["processes"]
    ]
    return {
        "main_rows": len(rows),
        "cpu_percent": round(sum(row["percent_cpu"] for row in rows), 1),
    }


def finished(kind: str, path: Path) -> dict[str, Any]:
    """Write the main table as tab-separated text; times are integers (ns), as Polars reads no times with a zone."""
    import polars as pl

    from pipeline import parse

    frame = next(iter(parse.parse_file(kind, path, date="2026-11-22", tz="UTC").tables.values()))
    frame = frame.with_columns(pl.col(pl.Datetime("ns", "UTC")).to_physical())
    lists = [name for name, dtype in frame.schema.items() if dtype == pl.List(pl.String)]
    frame = frame.with_columns(pl.col(name).list.join(";") for name in lists)
    frame.write_csv(path.with_suffix(".tsv"), separator="\t")
    path.with_suffix(".schema").write_text(json.dumps({n: str(t) for n, t in frame.schema.items()}))
    return {"main_rows": frame.height}


def floor(_: str, path: Path) -> dict[str, Any]:
    """Polars' reader of tab-separated text with known types: the fastest general reader with the same columns."""
    import polars as pl

    schema = {
        n: getattr(pl, t) for n, t in json.loads(path.with_suffix(".schema").read_text()).items()
    }
    return {
        "main_rows": pl.read_csv(path.with_suffix(".tsv"), separator="\t", schema=schema).height
    }


def loop(_: str, path: Path) -> dict[str, Any]:
    """A general log by a loop over its lines that reads one time format and keeps four columns."""
    import polars as pl

    rows: list[list[Any]] = []
    with path.open() as lines:
        for line in lines:
            m = HEAD.match(line)
            if m:
                rows.append([dt.datetime.fromisoformat(m[1] + "+00:00"), int(m[2]), m[3], m[4]])
            else:
                rows[-1][3] += "\n" + line.removesuffix("\n")
    frame = pl.DataFrame(rows, schema=["time", "connection", "command", "target"], orient="row")
    return {"main_rows": frame.height}


READERS: dict[str, Callable[[str, Path], dict[str, Any]]] = {
    "ours": ours,
    "jc": by_jc,
    "finish": finished,
    "floor": floor,
    "loop": loop,
}


def main() -> None:
    """Read the log, once without being timed where it is read several times."""
    reader, kind, path, times = sys.argv[1:]
    read = READERS[reader]
    if int(times) > 1:
        read(kind, Path(path))  # imports, and files that are in the page cache
    cpu_s = []
    for _ in range(int(times)):
        began = time.process_time()
        result = read(kind, Path(path))
        cpu_s.append(time.process_time() - began)
    print(json.dumps({"cpu_s": sorted(cpu_s)[len(cpu_s) // 2]} | result))


if __name__ == "__main__":
    main()
