"""Error of the approximations of FCFS without product form, relative to simulation with Ciw.

    .venv/bin/python benchmarks/network/fcfs.py [--seed N] [--models N]

Random networks of two stations, the first FCFS: classes with different service times, service times that are not
exponential, an open and a closed class. Printed is the mean relative error of the response times for the solver's
approximation (a customer waits for the work found at arrival), and for the same network treated as product form.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np

from pipeline.network.model import FORMAT, Network
from pipeline.network.solve import solve


def random_network(kind: int, rng: np.random.Generator) -> Network:
    """A random network of one of three kinds."""

    def time(mean: float) -> float:
        return float(mean * rng.uniform(0.2, 2))

    def closed(name: str, max_population: int) -> dict[str, object]:
        population = int(rng.integers(1, max_population))
        return {"name": name, "kind": "closed", "population": population, "think_time": time(3)}

    first = {"name": "a", "kind": "queue", "scheduling": "fcfs"}
    if kind == 0:
        classes = [closed("x", 8), closed("y", 8)]
        demands = {"a": {"x": time(1), "y": time(0.4)}, "b": {"x": time(0.5), "y": time(0.5)}}
    elif kind == 1:
        first["service_scv"] = float(rng.choice([0, 0.3, 3, 6]))
        classes = [closed("x", 12)]
        demands = {"a": {"x": 1.0}, "b": {"x": float(rng.uniform(0.3, 1))}}
    else:
        classes = [
            {"name": "x", "kind": "open", "rate": float(rng.uniform(0.1, 0.4))},
            closed("y", 6),
        ]
        demands = {"a": {"x": time(0.8), "y": time(0.6)}, "b": {"x": 0.3, "y": time(0.6)}}
    stations = [first, {"name": "b", "kind": "queue"}]
    return Network.from_dict(
        {"format": FORMAT, "stations": stations, "classes": classes, "demands": demands}
    )


def main() -> None:
    """Print one line per model, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--models", type=int, default=24)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    errors = []
    for i in range(options.models):
        model = random_network(i % 3, rng)
        stations = tuple(dataclasses.replace(s, scheduling="ps") for s in model.stations)
        simulated = solve(model, "simulation", replications=4, length=4000).response_times
        answers = solve(model), solve(dataclasses.replace(model, stations=stations))
        errors.append([float(np.abs(a.response_times / simulated - 1).mean()) for a in answers])
        print(f"kind {i % 3}: {errors[-1][0]:.3f} {errors[-1][1]:.3f}", flush=True)
    table = np.array(errors)
    for kind, name in enumerate(("different service times", "service_scv", "open and closed")):
        by_work, product = table[kind::3].mean(axis=0)
        print(f"{name}: {by_work:.1%} by work found at arrival, {product:.1%} as product form")
    print(
        f"all: {table[:, 0].mean():.1%} and {table[:, 1].mean():.1%}; worst {table[:, 0].max():.1%}"
    )


if __name__ == "__main__":
    main()
