"""CPU time of networks too large for the exact solution: a billion customers, and the smallest such population.

    .venv/bin/python benchmarks/network/large.py [--json FILE]

The peer is the same network in the same run with the smallest population, by powers of ten, that the solver does not
solve exactly. Above it the time must not grow with the population, as that of a recursion over customers does. CPU
seconds of this process, medians of nine calls; the billion is timed before and after the peer, and the larger
median is used.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.network.model import FORMAT, Network
from pipeline.network.solve import solve

CUSTOMERS = 10**9
MAX_RATIO = 2.0
"""Required: at most this multiple of the peer's time."""

CASES: dict[str, tuple[int, int, dict[str, Any]]] = {
    "2 stations, 1 class": (2, 1, {}),
    "2 stations, 3 classes": (2, 3, {}),
    "3 stations of 300 servers, 2 classes": (3, 2, {"servers": 300}),
    "20 stations, 5 classes": (20, 5, {}),
    "1 station whose rate depends on its load, 1 class": (
        1,
        1,
        {"kind": "load_dependent", "rate_multipliers": [1.0] * 500 + [0.5]},
    ),
}


def network(stations: int, classes: int, customers: int, more: dict[str, Any]) -> Network:
    """Closed classes with ``customers`` each and a think time of 1 s."""
    return Network.from_dict(
        {
            "format": FORMAT,
            "stations": [{"name": f"s{k}", "kind": "queue", **more} for k in range(stations)],
            "classes": [
                {"name": f"c{c}", "kind": "closed", "population": customers, "think_time": 1.0}
                for c in range(classes)
            ],
            "demands": {
                f"s{k}": {f"c{c}": 0.1 + (7 * k + 3 * c) % 11 / 10 for c in range(classes)}
                for k in range(stations)
            },
        }
    )


def median_cpu_s(model: Network, times: int = 9) -> float:
    """The median of CPU seconds of one solution."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        solve(model)
        taken.append(time.process_time() - began)
    return sorted(taken)[times // 2]


def measure(stations: int, classes: int, more: dict[str, Any]) -> dict[str, Any]:
    """One row: the smallest population that is not solved exactly, and a billion."""
    few = 10
    while solve(network(stations, classes, few, more)).exact:
        few *= 10
    small, large = (network(stations, classes, n, more) for n in (few, CUSTOMERS))
    before, peer, after = median_cpu_s(large), median_cpu_s(small), median_cpu_s(large)
    answer = solve(large)
    assert not answer.exact
    ours = max(before, after)
    return {
        "few": few,
        "method": answer.method,
        "few_s": peer,
        "many_s": ours,
        "ratio": ours / peer,
    }


def main() -> int:
    """Measure and print; 1 if the requirement is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all results to this file")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print(
        "| network | method | customers per class | CPU time | customers per class | CPU time | ratio |"
    )
    print("|---|---|---|---|---|---|---|")
    results = {}
    for name, case in CASES.items():
        row = results[name] = measure(*case)
        print(
            f"| {name} | {row['method']} | {row['few']:,} | {row['few_s'] * 1e3:.3g} ms | "
            f"{CUSTOMERS:,} | {row['many_s'] * 1e3:.3g} ms | {row['ratio']:.2f} |"
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    largest = max(row["ratio"] for row in results.values())
    print(
        f"\nRequired: at most {MAX_RATIO:g} times the peer's time. Measured: {largest:.2f} times."
    )
    return 0 if largest <= MAX_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
