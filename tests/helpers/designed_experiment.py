"""A designed experiment with planted effects: 2^(8-4), resolution IV, two replicates in four blocks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from pipeline.evaluate.influence import MISSING, RESPONSES, RUN_COLUMNS, Experiment
from pipeline.raw import Factor, FactorRun

BASE = "abcd"
GENERATORS = {"e": "abc", "f": "abd", "g": "acd", "h": "bcd"}
BRANCHES = ("virtualization type", "resource management", "workload")


def planned_runs() -> list[FactorRun]:
    """32 runs: 16 cells in standard order, replicates 1 and 2; blocks by the sign of abcd."""
    runs = []
    for replicate in (1, 2):
        for cell in range(16):
            signs = {name: 1 if cell >> i & 1 else -1 for i, name in enumerate(BASE)}
            sign = int(np.prod(list(signs.values())))
            for name, factors in GENERATORS.items():
                signs[name] = int(np.prod([signs[factor] for factor in factors]))
            block = 2 * replicate - (sign < 0)
            name, order = f"run-{cell + 1:02d}-{replicate}", len(runs) + 1
            runs.append(FactorRun("host", name, "shop", signs, block, replicate, cell + 1, order))
    return runs


def make_experiment(runs: list[FactorRun]) -> Experiment:
    """The experiment of these runs, with every factor that they have."""
    names = list(runs[0].signs)
    factors = {
        name: Factor(name, f"Factor {name}", None, BRANCHES[i % 3], ("low", "high"))
        for i, name in enumerate(names)
    }
    return Experiment("shop", "shop front", factors, {}, tuple(runs))


def make_frame(experiment: Experiment, **responses: np.ndarray) -> pl.DataFrame:
    """The frame of runs of an experiment with these responses."""
    plan = pl.DataFrame(
        [
            (r.server, r.run, r.order, None if r.block is None else str(r.block), r.replicate, r.cell, True)
            for r in experiment.planned
        ],
        schema=RUN_COLUMNS, orient="row",
    )  # fmt: skip
    schema = dict.fromkeys(experiment.factors, pl.Int8)
    signs = pl.DataFrame([r.signs for r in experiment.planned], schema=schema)
    values = {name: responses.get(name, [None] * plan.height) for name in RESPONSES}
    covariates = {
        name: responses.get(name, [None] * plan.height) for name in ("memory_latency_ns",)
    }
    return plan.hstack(signs).with_columns(
        *(pl.Series(name, v, pl.Float64) for name, v in (values | covariates).items()),
        pl.lit(None, pl.String).alias(MISSING),
    )


def planted(
    experiment: Experiment,
    ratios: Mapping[str, float],
    *,
    base: float = 30.0,
    block_ratios: Mapping[int, float] | None = None,
    sd: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """A response with these ratios, high over low, of effects (``a``, ``a:b``), drift between blocks, and noise."""
    random = np.random.default_rng(seed)
    values = np.full(len(experiment.planned), np.log(base))
    for effect, ratio in ratios.items():
        sign = [np.prod([r.signs[name] for name in effect.split(":")]) for r in experiment.planned]
        values += np.log(ratio) / 2 * np.array(sign)
    values += [np.log((block_ratios or {}).get(r.block, 1.0)) for r in experiment.planned]
    return np.exp(values + random.normal(0, sd, len(values)))
