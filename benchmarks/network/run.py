"""CPU time of the network solver, as ratios to LINE and to Octave's queueing package in the same run.

    .venv/bin/python benchmarks/network/run.py [--line PYTHON] [--no-octave] [--line-points N] [--json FILE]

LINE (line-solver 3.0.8.0) is installed into a temporary environment; ``--line`` names an interpreter that has it
already. Octave and its queueing package are used where they are installed (Debian: apt install octave
octave-queueing). All times are CPU seconds of one single-threaded process, so that other work on the machine has
little effect. Queuevisor is timed before and after the peers, and the larger of the two medians is used. Its time is
that of the whole call (checks, choice of the method, results of all stations). LINE's is that of its functions
alone, except for the open rates, where each rate is a model, as its users write it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.network.model import FORMAT, Network
from pipeline.network.open import solve_open
from pipeline.network.service import Service
from pipeline.network.solve import solve

HERE = Path(__file__).parent
LINE = "line-solver==3.0.8.0"
CASES: dict[str, dict[str, Any]] = {
    "one": {"demands": [[0.02], [0.015], [0.005]], "populations": [10_000], "think": [1.0]},
    "two": {
        "demands": [[0.02, 0.03], [0.015, 0.01], [0.005, 0.02], [0.01, 0.01]],
        "populations": [200, 200],
        "think": [1.0, 2.0],
    },
    "open": {"demands": [[0.02], [0.015], [0.005]], "top": 50.0, "points": 100_000},
    "servers": {"demands": [[0.444]], "populations": [400], "think": [0.0], "servers": [300]},
}
NAMES = {
    "one": "closed, one class, N = 10,000, 3 stations",
    "two": "closed, two classes of 200, 4 stations, exact",
    "open": "100,000 open rates, 3 stations",
    "servers": "closed, N = 400, one station with 300 servers",
}


def network(case: dict[str, Any]) -> Network:
    """The model file of a closed case."""
    count = case.get("servers", [1] * len(case["demands"]))
    return Network.from_dict(
        {
            "format": FORMAT,
            "stations": [
                {"name": f"s{k}", "kind": "queue", "servers": m} for k, m in enumerate(count)
            ],
            "classes": [
                {"name": f"c{c}", "kind": "closed", "population": n, "think_time": z}
                for c, (n, z) in enumerate(zip(case["populations"], case["think"], strict=True))
            ],
            "demands": {
                f"s{k}": {f"c{c}": d for c, d in enumerate(row)}
                for k, row in enumerate(case["demands"])
            },
        }
    )


def closed_case(case: dict[str, Any]) -> Callable[[], list[float]]:
    """Queuevisor's solution of a closed case: throughputs."""
    model = network(case)

    def run() -> list[float]:
        answer = solve(model)
        assert answer.exact
        assert answer.throughput is not None
        return answer.throughput.tolist()

    return run


def open_case(case: dict[str, Any]) -> Callable[[], list[float]]:
    """Queuevisor's solution for the open rates: the last response time."""
    demands = np.array(case["demands"])
    services = [Service.queue()] * len(demands)

    def run() -> list[float]:
        rates = np.linspace(0, case["top"], case["points"] + 2)[1:-1]
        solution = solve_open(rates[:, None], demands, services)
        assert solution.is_stable.all()
        return [float(solution.response_times[-1, 0])]

    return run


def measure_queuevisor() -> dict[str, dict[str, Any]]:
    """Medians of 21 calls after a first one."""
    result = {}
    for key, case in CASES.items():
        run = open_case(case) if key == "open" else closed_case(case)
        run()
        times = []
        for _ in range(21):
            began = time.process_time()
            answer = run()
            times.append(time.process_time() - began)
        result[key] = {"seconds": sorted(times)[10], "answer": answer}
    return result


def output_of(command: list[str], text: str, folder: str) -> dict[str, Any]:
    """The JSON that a peer printed after RESULT."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    lines = [x for x in done.stdout.splitlines() if x.startswith("RESULT ")]
    if done.returncode or not lines:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return json.loads(lines[-1].removeprefix("RESULT "))


def measure_line(python: str | None, folder: str) -> dict[str, Any]:
    """LINE's results; installs it into ``folder`` unless ``python`` has it."""
    if python is None:
        print(f"installing {LINE} into a temporary environment …", file=sys.stderr)
        venv.create(Path(folder) / "line", with_pip=True)
        python = str(Path(folder) / "line" / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", LINE], check=True)
    print("LINE …", file=sys.stderr)
    return output_of([python, str(HERE / "peer_line.py")], json.dumps(CASES), folder)


def measure_octave(folder: str) -> dict[str, Any] | None:
    """Octave's results, or None where it is not installed."""
    program = shutil.which("octave-cli") or shutil.which("octave")
    if program is None:
        print(
            "Octave is not installed: apt install octave octave-queueing; skipped", file=sys.stderr
        )
        return None
    probe = subprocess.run([program, "--quiet", "--eval", "pkg load queueing"], capture_output=True)
    if probe.returncode:
        print(
            "Octave has no queueing package: apt install octave-queueing; skipped", file=sys.stderr
        )
        return None
    print("Octave …", file=sys.stderr)
    cases = Path(folder) / "cases.json"
    cases.write_text(json.dumps(CASES))
    command = [program, "--quiet", "--no-gui", str(HERE / "peer_octave.m"), str(cases)]
    return output_of(command, "", folder)


def seconds(value: float) -> str:
    """A time with its unit, s or ms."""
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def cell(peer: dict[str, Any] | None, key: str, us: float, scale: float = 1.0) -> str:
    """A peer's time, and its ratio to Queuevisor's."""
    if peer is None or key not in peer:
        return "–"
    taken = peer[key]["seconds"] * scale
    return f"{seconds(taken)} ({taken / us:,.3g} ×)"


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--line", help="Python interpreter with line-solver (default: install it)")
    parser.add_argument("--no-octave", action="store_true", help="skip Octave")
    parser.add_argument(
        "--line-points",
        type=int,
        default=500,
        help="number of open rates that LINE solves (scaled to all)",
    )
    parser.add_argument("--json", type=Path, help="write all results to this file")
    options = parser.parse_args()
    CASES["open"]["line_points"] = options.line_points
    with tempfile.TemporaryDirectory() as folder:
        before = measure_queuevisor()
        peers = {"line": measure_line(options.line, folder), "octave": None}
        if not options.no_octave:
            peers["octave"] = measure_octave(folder)
        after = measure_queuevisor()
    taken = {key: max(before[key]["seconds"], after[key]["seconds"]) for key in CASES}
    share = CASES["open"]["points"] / max(options.line_points, 1)
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {versions}; CPU time\n")
    print("| case | Queuevisor | LINE 3.0.8.0 | Octave queueing |\n|---|---|---|---|")
    for key, name in NAMES.items():
        scale = share if key == "open" else 1.0
        cells = cell(peers["line"], key, taken[key], scale), cell(peers["octave"], key, taken[key])
        print(f"| {name} | {seconds(taken[key])} | {cells[0]} | {cells[1]} |")
    print("\n| answer | Queuevisor | LINE 3.0.8.0 | Octave queueing |\n|---|---|---|---|")
    for key, name in NAMES.items():
        rows = (before, peers["line"], peers["octave"] or {})
        answers = [
            ", ".join(f"{x:.10g}" for x in row.get(key, {}).get("answer", [])) or "–"
            for row in rows
        ]
        print(f"| {name} | {' | '.join(answers)} |")
    print(
        f"\nLINE, open rates: {options.line_points} were solved, their time is multiplied by {share:g}."
    )
    if options.json:
        figures = {"cases": CASES, "ours": {"before": before, "after": after}, **peers}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
