#!/usr/bin/env python3
"""What the collectors cost, beside `top` and `iotop` alone, in the same run.

    sudo .venv/bin/python benchmarks/collectors/run.py [--tasks 600] [--seconds 60] [--times 5]

Fills the machine with processes up to --tasks (as top counts them; 5 in 100 of ours wake ten times a
second, compute a little and write 4 KiB; five have ten threads), then takes turns, --times rounds:

    tools      top and the iotop in use, called as the collectors call them, alone
    all        `collect run`: all collectors, every process followed in tasks.log
    only       the same with --only for one of the processes that work

Measured is CPU time by the kernel's own account in nanoseconds (/proc/PID/task/TID/schedstat), from
the fifth snapshot on, divided by top's snapshots in that time: a machine that does other work, or
stands still for a while, changes neither. What a start costs once is measured apart. Ratios are of
the medians. Needs root (iotop). Prints a Markdown table, or JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

AGENT = Path(__file__).resolve().parents[2] / "collectors" / "agent"
sys.path.append(str(AGENT))

import top_iotop  # noqa: E402 - the collectors' own: how they call top and iotop

WARM_UP = 4  # snapshots before the measured time
BUSY_EVERY = 20  # every so manieth of our processes works


# -- the processes that are sampled


def work(seed: int, folder: str) -> None:
    """Ten times a second: a little computing, 4 KiB to a file."""
    draw = random.Random(seed)
    with Path(folder, str(seed)).open("wb", buffering=0) as file:
        while True:
            time.sleep(0.1 * draw.uniform(0.8, 1.2))
            sum(range(2000))
            file.seek(0)
            file.write(b"x" * 4096)


def fill(number: int, folder: str) -> list[int]:
    """That many processes of ours; their pids."""
    pids = []
    for seed in range(number):
        pid = os.fork()
        if pid == 0:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                if seed % BUSY_EVERY == 1:
                    Path("/proc/self/comm").write_text("qv-busy")
                    work(seed, folder)
                for _ in range(9 if seed % BUSY_EVERY == 2 and seed < 5 * BUSY_EVERY else 0):
                    threading.Thread(target=signal.pause, daemon=True).start()
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        pids.append(pid)
    return pids


def processes() -> int:
    """How many there are, kernel threads included, as top counts them."""
    return sum(1 for path in Path("/proc").iterdir() if path.name.isdigit())


# -- measuring


def cpu_ns(pid: int) -> int:
    """CPU time of a process's threads that live. Those of the measured ones live as long as it does."""
    return sum(
        int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def pss_bytes(pid: int) -> int:
    """Its share of memory."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(re.search(r"^Pss:\s+(\d+) kB", text, re.M)[1])


def children(pid: int) -> list[int]:
    """Its children's pids."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def snapshots(file: Path) -> int:
    """How many snapshots of top are in a file."""
    return file.read_bytes().count(b"\ntop - ") if file.exists() else 0


def name_of(pid: int) -> str:
    """top, iotop or sampler."""
    line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    for word in line[:2]:
        name = Path(word.decode()).name
        if name.startswith(("iotop", "top")):
            return name.split("-")[0]
    return "sampler"


def steady(pids: list[int], file: Path, ticks: int) -> dict:
    """CPU ns a snapshot of each process, by name, over about that many of top's snapshots."""
    while snapshots(file) < WARM_UP:
        time.sleep(0.1)
    first, before = snapshots(file), {pid: cpu_ns(pid) for pid in pids}
    while snapshots(file) < first + ticks:
        time.sleep(0.2)
    last, after = snapshots(file), {pid: cpu_ns(pid) for pid in pids}
    return {name_of(pid): (after[pid] - before[pid]) / (last - first) for pid in pids}


def tools_alone(folder: Path, ticks: int) -> dict:
    """top and iotop, nothing else."""
    started = []
    found = top_iotop.find_top(1), top_iotop.find_iotop(1)[0]
    try:
        for name, tool in zip(("top", "iotop"), found, strict=True):
            with (folder / f"{name}.out").open("wb") as out:
                started.append(
                    subprocess.Popen(tool["argv"], stdout=out, env=top_iotop.tool_environment())
                )
        return steady([p.pid for p in started], folder / "top.out", ticks)
    finally:
        for p in started:
            p.terminate()
            p.wait()


def collectors(folder: Path, ticks: int, *more: str) -> dict:
    """All collectors; also what a start costs and the sampler's PSS."""
    out = folder / "out"
    words = [AGENT / "collect", "run", "--out", out, "--seconds", str(100 * ticks), *more]
    p = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        while snapshots(out / "top.log") < 1:
            time.sleep(0.05)
        begun = [p.pid, *children(p.pid)]
        found = steady(begun, out / "top.log", ticks)
        found["pss"] = pss_bytes(p.pid)
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait()
    facts = json.loads((out / "facts.json").read_text())
    cost = facts["collector_cost"]
    ticks = snapshots(out / "top.log")
    spent = sum(found[name] for name in ("sampler", "top", "iotop")) * ticks / 1e9
    found["start"] = cost["cpu_s"] - spent
    found["bytes"] = (out / "tasks.log").stat().st_size / ticks
    return found


def measure(ticks: int, times: int) -> dict:
    """Rounds of the three, each in a folder of its own; lists by kind and name."""
    kinds = {
        "tools": tools_alone,
        "all": collectors,
        "only": lambda folder, ticks: collectors(folder, ticks, "--only", "^qv-busy$"),
    }
    found: dict = {kind: {} for kind in kinds}
    for turn in range(times):
        for kind in [*kinds] if turn % 2 == 0 else [*kinds][::-1]:
            with tempfile.TemporaryDirectory(prefix="qv-bench-", dir="/var/tmp") as folder:
                for name, value in kinds[kind](Path(folder), ticks).items():
                    found[kind].setdefault(name, []).append(value)
            print(f"round {turn + 1} of {times}: {kind}", file=sys.stderr, flush=True)
    return found


# -- what came of it


def table(found: dict, tasks: int) -> str:
    """Medians as CPU seconds a minute, and the ratios."""
    middle = {
        kind: {name: statistics.median(values) for name, values in rows.items()}
        for kind, rows in found.items()
    }
    names = ("top", "iotop", "sampler")
    total = {kind: sum(rows.get(n, 0) for n in names) for kind, rows in middle.items()}
    lines = [
        f"| CPU seconds a minute, {tasks} tasks | top | iotop | our process | all | beside the tools |",
        "|---|---|---|---|---|---|",
    ]
    for kind, title in (
        ("tools", "top and iotop alone"),
        ("all", "all collectors, every process followed"),
        ("only", "all collectors, `--only` some processes"),
    ):
        cells = [f"{middle[kind][n] * 60 / 1e9:.2f}" if n in middle[kind] else "" for n in names]
        ratio = total[kind] / total["tools"]
        lines.append(
            f"| {title} | {' | '.join(cells)} | {total[kind] * 60 / 1e9:.2f} | {ratio:.2f} |"
        )
    rounds = [
        sum(found["all"][n][k] for n in names) / sum(found["tools"][n][k] for n in names[:2])
        for k in range(len(found["all"]["top"]))
    ]
    lines += [
        "",
        f"All collectors beside the tools, round by round: {', '.join(f'{r:.2f}' for r in rounds)}.",
        f"Our process: PSS {max(found['all']['pss'] + found['only']['pss']) / 1e6:.1f} MB at most. "
        f"A start costs {middle['all']['start']:.2f} CPU seconds once. "
        f"tasks.log: {middle['all']['bytes'] * 60 / 1e6:.1f} MB a minute "
        f"({middle['only']['bytes'] * 60 / 1e6:.2f} with `--only`).",
    ]
    return "\n".join(lines)


def main() -> int:
    """Fill, measure, print."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--tasks", type=int, default=600, help="processes in all (default 600)")
    p.add_argument("--seconds", type=int, default=60, help="snapshots a measurement (default 60)")
    p.add_argument("--times", type=int, default=5, help="rounds (default 5)")
    p.add_argument("--json", action="store_true", help="the figures, not the table")
    a = p.parse_args()
    if os.geteuid() != 0:
        p.error("needs root: iotop does")
    if top_iotop.find_iotop(1)[0] is None or top_iotop.find_top(1) is None:
        p.error("needs top and an iotop that can be used on this kernel")
    with tempfile.TemporaryDirectory(prefix="qv-bench-", dir="/var/tmp") as folder:
        pids = fill(max(0, a.tasks - processes()), folder)
        try:
            time.sleep(2)
            tasks = processes()
            found = measure(a.seconds, a.times)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            for pid in pids:
                os.waitpid(pid, 0)
    print(json.dumps({"tasks": tasks, **found}, indent=1) if a.json else table(found, tasks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
