#!/usr/bin/env python3
"""CPU time of the collectors, compared with `top` and `iotop` alone in the same run.

    sudo .venv/bin/python benchmarks/collectors/run.py [--tasks 600] [--seconds 60] [--times 5]

Starts processes up to --tasks (as top counts them; 5 in 100 of the benchmark's own wake ten times
per second, compute a little and write 4 KiB; five have ten threads), then alternates, for --times
rounds, between:

    tools      top and iotop alone, run as the collectors run them
    all        `collect run`: all collectors, every process followed in tasks.log
    only       the same with --only for the processes that compute

CPU time is counted by the kernel in nanoseconds (/proc/PID/task/TID/schedstat), from the fifth
snapshot on, and divided by top's snapshots in that time: other work of the machine and pauses are
not included. The cost of a start is measured separately. Ratios are of the medians. Needs root
(iotop). Prints a Markdown table, or JSON with --json.
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

import top_iotop  # noqa: E402 - how the collectors run top and iotop

WARM_UP = 4  # snapshots before the measured time
BUSY_EVERY = 20  # one process in so many computes


# -- the sampled processes


def work(seed: int, folder: str) -> None:
    """Ten times per second: compute a little, write 4 KiB to a file."""
    draw = random.Random(seed)
    with Path(folder, str(seed)).open("wb", buffering=0) as file:
        while True:
            time.sleep(0.1 * draw.uniform(0.8, 1.2))
            sum(range(2000))
            file.seek(0)
            file.write(b"x" * 4096)


def start_processes(number: int, folder: str) -> list[int]:
    """Start that many processes; their pids."""
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


def count_processes() -> int:
    """Number of processes, kernel threads included, as top counts them."""
    return sum(1 for path in Path("/proc").iterdir() if path.name.isdigit())


# -- measuring


def cpu_ns(pid: int) -> int:
    """CPU time of a process's threads. No thread of the measured processes ends before its process."""
    return sum(
        int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def pss_bytes(pid: int) -> int:
    """Proportional set size of a process."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(re.search(r"^Pss:\s+(\d+) kB", text, re.M)[1])


def list_children(pid: int) -> list[int]:
    """Pids of a process's children."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def count_snapshots(file: Path) -> int:
    """Number of top's snapshots in a file."""
    return file.read_bytes().count(b"\ntop - ") if file.exists() else 0


def tool_name(pid: int) -> str:
    """top, iotop or sampler (the collector's own process)."""
    argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    names = [Path(word.decode()).name for word in argv[:2]]
    return next((tool for tool in ("iotop", "top") for n in names if n.startswith(tool)), "sampler")


def measure_cpu(pids: list[int], file: Path, ticks: int) -> dict:
    """CPU ns per snapshot of each process, by name, over about that many of top's snapshots."""
    while count_snapshots(file) < WARM_UP:
        time.sleep(0.1)
    first, before = count_snapshots(file), {pid: cpu_ns(pid) for pid in pids}
    while count_snapshots(file) < first + ticks:
        time.sleep(0.2)
    last, after = count_snapshots(file), {pid: cpu_ns(pid) for pid in pids}
    return {tool_name(pid): (after[pid] - before[pid]) / (last - first) for pid in pids}


def measure_tools(folder: Path, ticks: int) -> dict:
    """CPU ns per snapshot of top and iotop alone."""
    started = []
    tools = top_iotop.find_top(1), top_iotop.find_iotop(1)[0]
    try:
        for name, tool in zip(("top", "iotop"), tools, strict=True):
            with (folder / f"{name}.out").open("wb") as out:
                started.append(
                    subprocess.Popen(tool["argv"], stdout=out, env=top_iotop.tool_environment())
                )
        return measure_cpu([p.pid for p in started], folder / "top.out", ticks)
    finally:
        for p in started:
            p.terminate()
            p.wait()


def measure_collectors(folder: Path, ticks: int, *options: str) -> dict:
    """CPU ns per snapshot of all collectors; also the cost of a start, the PSS, and bytes of tasks.log."""
    out = folder / "out"
    argv = [AGENT / "collect", "run", "--out", out, "--seconds", str(100 * ticks), *options]
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        while count_snapshots(out / "top.log") < 1:
            time.sleep(0.05)
        pids = [p.pid, *list_children(p.pid)]
        values = measure_cpu(pids, out / "top.log", ticks)
        values["pss"] = pss_bytes(p.pid)
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait()
    facts = json.loads((out / "facts.json").read_text())
    cost = facts["collector_cost"]
    ticks = count_snapshots(out / "top.log")
    cpu_s = sum(values[name] for name in ("sampler", "top", "iotop")) * ticks / 1e9
    values["start"] = cost["cpu_s"] - cpu_s
    values["bytes"] = (out / "tasks.log").stat().st_size / ticks
    return values


def measure(ticks: int, times: int) -> dict:
    """Rounds of the three variants, each in a folder of its own; lists by variant and name."""
    kinds = {
        "tools": measure_tools,
        "all": measure_collectors,
        "only": lambda folder, ticks: measure_collectors(folder, ticks, "--only", "^qv-busy$"),
    }
    results: dict = {kind: {} for kind in kinds}
    for turn in range(times):
        for kind in [*kinds] if turn % 2 == 0 else [*kinds][::-1]:
            with tempfile.TemporaryDirectory(prefix="qv-bench-", dir="/var/tmp") as folder:
                for name, value in kinds[kind](Path(folder), ticks).items():
                    results[kind].setdefault(name, []).append(value)
            print(f"round {turn + 1} of {times}: {kind}", file=sys.stderr, flush=True)
    return results


# -- the result


def format_table(results: dict, tasks: int) -> str:
    """Medians as CPU seconds per minute, and the ratios."""
    medians = {
        kind: {name: statistics.median(values) for name, values in rows.items()}
        for kind, rows in results.items()
    }
    names = ("top", "iotop", "sampler")
    total = {kind: sum(rows.get(n, 0) for n in names) for kind, rows in medians.items()}
    lines = [
        f"| CPU seconds per minute, {tasks} tasks | top | iotop | collector | total | ratio to the tools |",
        "|---|---|---|---|---|---|",
    ]
    for kind, title in (
        ("tools", "top and iotop alone"),
        ("all", "all collectors, every process followed"),
        ("only", "all collectors, `--only` some processes"),
    ):
        cells = [f"{medians[kind][n] * 60 / 1e9:.2f}" if n in medians[kind] else "" for n in names]
        ratio = total[kind] / total["tools"]
        lines.append(
            f"| {title} | {' | '.join(cells)} | {total[kind] * 60 / 1e9:.2f} | {ratio:.2f} |"
        )
    rounds = [
        sum(results["all"][n][k] for n in names) / sum(results["tools"][n][k] for n in names[:2])
        for k in range(len(results["all"]["top"]))
    ]
    lines += [
        "",
        f"Ratio of all collectors to the tools, by round: {', '.join(f'{r:.2f}' for r in rounds)}.",
        f"Collector: PSS {max(results['all']['pss'] + results['only']['pss']) / 1e6:.1f} MB at most. "
        f"A start costs {medians['all']['start']:.2f} CPU seconds. "
        f"tasks.log: {medians['all']['bytes'] * 60 / 1e6:.1f} MB per minute "
        f"({medians['only']['bytes'] * 60 / 1e6:.2f} with `--only`).",
    ]
    return "\n".join(lines)


def main() -> int:
    """Start the processes, measure, print; the exit code."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--tasks", type=int, default=600, help="number of processes (default 600)")
    p.add_argument("--seconds", type=int, default=60, help="snapshots per measurement (default 60)")
    p.add_argument("--times", type=int, default=5, help="rounds (default 5)")
    p.add_argument("--json", action="store_true", help="print the values as JSON")
    options = p.parse_args()
    if os.geteuid() != 0:
        p.error("must be run as root, for iotop")
    if top_iotop.find_iotop(1)[0] is None or top_iotop.find_top(1) is None:
        p.error("top or an iotop that can be used on this kernel is not installed")
    with tempfile.TemporaryDirectory(prefix="qv-bench-", dir="/var/tmp") as folder:
        pids = start_processes(max(0, options.tasks - count_processes()), folder)
        try:
            time.sleep(2)
            tasks = count_processes()
            results = measure(options.seconds, options.times)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            for pid in pids:
                os.waitpid(pid, 0)
    if options.json:
        print(json.dumps({"tasks": tasks, **results}, indent=1))
    else:
        print(format_table(results, tasks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
