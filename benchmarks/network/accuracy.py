"""Error of the approximations Linearizer and Schweitzer, relative to the exact solution.

    .venv/bin/python benchmarks/network/accuracy.py [--seed N] [--models N]

Random closed networks of two or three classes and single servers. Printed is, over the networks, the mean, 95th
percentile and maximum of the largest relative error of a class's throughput, in percent.
"""

from __future__ import annotations

import argparse

import numpy as np

from pipeline.network.model import FORMAT, Network
from pipeline.network.solve import solve


def random_network(rng: np.random.Generator) -> Network:
    """A random network."""
    classes, stations = int(rng.integers(2, 4)), int(rng.integers(2, 6))
    return Network.from_dict(
        {
            "format": FORMAT,
            "stations": [{"name": f"s{k}", "kind": "queue"} for k in range(stations)],
            "classes": [
                {
                    "name": f"c{c}",
                    "kind": "closed",
                    "population": int(rng.integers(1, 20)),
                    "think_time": float(rng.choice([0.0, rng.uniform(0, 10)])),
                }
                for c in range(classes)
            ],
            "demands": {
                f"s{k}": {f"c{c}": float(rng.uniform(0.05, 2)) for c in range(classes)}
                for k in range(stations)
            },
        }
    )


def main() -> None:
    """Print one line per method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--models", type=int, default=400)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    models = [random_network(rng) for _ in range(options.models)]
    exact = [solve(model).throughput for model in models]
    for method in ("linearizer", "schweitzer"):
        errors = [
            100 * float(np.abs(solve(model, method).throughput / x - 1).max())
            for model, x in zip(models, exact, strict=True)
        ]
        high = np.percentile(errors, 95)
        print(f"{method}: mean {np.mean(errors):.2f} %, p95 {high:.2f} %, max {max(errors):.1f} %")


if __name__ == "__main__":
    main()
