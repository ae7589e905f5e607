"""Logs as a person would have recorded them by hand, cut out of a recorded run."""

import datetime as dt
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import parse

NS = 1_000_000_000
READ_S = 2
"""Between the readings of the disks and the load."""


@dataclass
class HandMade:
    """Files by role, in a folder, with the window of the load."""

    folder: Path
    start_ns: int
    end_ns: int
    files: dict[str, list[Path]] = field(default_factory=dict)

    def add(self, role: str, name: str, text: str) -> Path:
        path = self.folder / role / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.files.setdefault(role, []).append(path)
        return path


def snapshots(path: Path, start_ns: int, end_ns: int) -> list[tuple[int, list[str]]]:
    """Time and lines of every snapshot of a collector's log in a window."""
    log = parse.read_log(path)
    result: list[tuple[int, list[str]]] = []
    for text in log.lines["text"]:
        if text.startswith("#T "):
            result.append((int(text.split()[1]), []))
        elif not text.startswith("#") and result:
            result[-1][1].append(text)
    return [item for item in result if start_ns <= item[0] <= end_ns]


def hand_made(
    run: Path,
    folder: Path,
    guests: list[str],
    *,
    around_s: float = 5.0,
    stamps: tuple[str, ...] = (),
    every: int = 1,
) -> HandMade:
    """Logs of top, iotop and two readings of the disks, and the client's reports, without sentinels.

    ``stamps``: roles whose iotop has ``-t``; ``every``: only each n-th snapshot of top.
    """  # fmt: skip
    manifest = json.loads((run / "run.json").read_text())
    loads = [
        server["workload"]
        for name, server in manifest["virtual_servers"].items()
        if name in guests and "workload" in server
    ]
    start_ns, end_ns = min(w["start_ns"] for w in loads), max(w["end_ns"] for w in loads)
    made = HandMade(folder, start_ns, end_ns)
    edges = (start_ns - round(around_s * NS), end_ns + round(around_s * NS))
    for role in ("host", *guests):
        source = run / role
        top = snapshots(source / "top.log.zst", *edges)[::every]
        made.add(role, "top.txt", text_of(lines for _, lines in top))
        iotop = snapshots(source / "iotop.log.zst", *edges)
        if role in stamps:
            iotop = [(at, stamped(at, lines)) for at, lines in iotop]
        made.add(role, "iotop.txt", text_of(lines for _, lines in iotop))
        block = snapshots(source / "block.log.zst", start_ns - READ_S * NS, end_ns + READ_S * NS)
        for name, (_, lines) in zip(("before", "after"), (block[0], block[-1]), strict=True):
            made.add(role, f"stat.{name}", text_of([lines]))
    for work in loads:
        name = work["log"].split("/")[1]
        made.add("client", name, (run / "client" / name).read_text())
    return made


def text_of(snapshot_lines) -> str:
    return "".join(f"{line}\n" for lines in snapshot_lines for line in lines)


def stamped(at_ns: int, lines: list[str]) -> list[str]:
    """Lines with iotop's time of day (-t) before each."""
    clock = dt.datetime.fromtimestamp(at_ns / NS, dt.UTC).strftime("%H:%M:%S")
    return [f"{clock} {line}" if re.search(r"\S", line) else line for line in lines]
