"""How often an estimate's intervals hold the truth: hosts drawn at random, simulated, read back from raw text.

    python tests/ground_truth/coverage.py --runs 400 --seed 1 --estimate estimates:by_ledger

An estimate is a function ``estimate(recorded: Recorded) -> polars.DataFrame`` with the columns
``virtual_server``, ``station`` (cpu, vdisk, disk), ``demand``, ``low``, ``high`` (s a request; nulls are no
answer). It sees what an analyst sees: the raw run and its tables, never the truth.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from pipeline import ingest
from pipeline.raw import Run, find_run
from pipeline.synthetic.ground_truth import ground_truth
from pipeline.synthetic.host import simulate_run
from pipeline.synthetic.plan import Monitoring, Plan
from pipeline.synthetic.random_plans import draw_plan
from pipeline.synthetic.study import study_manifest, write_run

STUDY, SERVER, RUN = "known", "first", "run"

CASES = pl.Schema(
    {
        "seed": pl.Int64,
        "workload": pl.String,
        "station": pl.String,
        "true_s": pl.Float64,
        "realised_s": pl.Float64,
        "utilization": pl.Float64,
        "demand_s": pl.Float64,
        "low_s": pl.Float64,
        "high_s": pl.Float64,
    }
)
"""One row a host and station: what was true, what was estimated."""


@dataclass
class Recorded:
    """A simulated run as an estimate may see it."""

    run: Run
    folder: Path = field(repr=False)

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The tidy tables by name, with ``role``, parsed from the raw text; nothing is stored."""
        return ingest.parse_run(self.run).frames

    @cached_property
    def processed(self) -> Path:
        """The run ingested into a folder of its own: for what wants Parquet (``ledger.run_ledger``)."""
        folder = self.folder / "processed"
        ingest.ensure_ingested([self.run], folder)
        return folder


Estimate = Callable[[Recorded], pl.DataFrame]


def record(plan: Plan, seed: int, folder: Path) -> tuple[Recorded, dict]:
    """Simulate the plan's run ``RUN`` on ``SERVER``, write it below ``folder`` as raw text, and read it back.

    Returns what an estimate sees, and the truth (``truth`` of pipeline/synthetic/ground_truth.py).
    """
    history = simulate_run(plan, SERVER, RUN, seed)
    raw = folder / "raw"
    write_run(history, STUDY, raw / STUDY / SERVER / RUN)
    (raw / STUDY / "study.json").write_text(json.dumps(study_manifest([plan], STUDY)))
    return Recorded(find_run(raw, STUDY, SERVER, RUN), folder), ground_truth(history)


def host(seed: int, monitoring: Monitoring | None = None) -> Plan:
    """The host of that seed.

    A web server's access.log tells when its requests came. A database's general.log is left out: twenty lines a
    transaction say no more than sysbench's line a second.
    """
    plan = draw_plan(np.random.default_rng([seed, 2026]))
    is_open = any(server.kind == "open" for server in plan.virtual_servers.values())
    return replace(plan, monitoring=monitoring or Monitoring(server_logs=is_open))


def cases_of(seed: int, estimate: Estimate | str, monitoring: Monitoring | None = None) -> list:
    """Rows of CASES for the host of one seed."""
    ask = _found(estimate) if isinstance(estimate, str) else estimate
    with tempfile.TemporaryDirectory(prefix="ground-truth-") as folder:
        seen, known = record(host(seed, monitoring), seed, Path(folder))
        told = ask(seen)
    rows = []
    for name, server in known["virtual_servers"].items():
        for station, true in server["stations"].items():
            mine = told.filter((pl.col("virtual_server") == name) & (pl.col("station") == station))
            found = mine.row(0, named=True) if mine.height else dict.fromkeys(told.columns)
            rows.append(
                (
                    seed,
                    server["kind"],
                    station,
                    true["demand_s"],
                    true["realised_s"],
                    true["utilization"],
                    found["demand"],
                    found["low"],
                    found["high"],
                )
            )
    return rows


def cases(
    runs: int,
    seed: int,
    estimate: Estimate | str,
    *,
    workers: int = 2,
    monitoring: Monitoring | None = None,
) -> pl.DataFrame:
    """CASES of the hosts of seeds ``seed``, ``seed`` + 1, …, in order; ``workers`` 1 stays in this process."""
    seeds = range(seed, seed + runs)
    if workers == 1:
        rows = [cases_of(one, estimate, monitoring) for one in seeds]
    else:
        os.environ["POLARS_MAX_THREADS"] = "1"
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            rows = list(
                pool.map(cases_of, seeds, [estimate] * runs, [monitoring] * runs, chunksize=4)
            )
    return pl.DataFrame([row for some in rows for row in some], schema=CASES, orient="row")


def summary(found: pl.DataFrame) -> pl.DataFrame:
    """The table: a row a station and workload (and ``all``).

    ``answered``: hosts with an interval; ``covered``: share of those whose interval holds the true demand;
    ``below``, ``above``: share where the truth lies below or above it; ``covered_realised``: holds the mean of the
    demands that were drawn; ``half_width``: median of half the interval over the true demand; ``bias``, ``spread``:
    mean and standard deviation of estimate / truth − 1 (``bias_realised``: against the demands that were drawn).
    """
    parts = [found, found.with_columns(workload=pl.lit("all"))]
    true, low, high = pl.col("true_s"), pl.col("low_s"), pl.col("high_s")
    given = low.is_not_null() & high.is_not_null()
    off = pl.col("demand_s") / true - 1
    return (
        pl.concat(parts)
        .group_by("station", "workload", maintain_order=True)
        .agg(
            n=pl.len(),
            answered=given.sum(),
            covered=((low <= true) & (true <= high)).filter(given).mean(),
            below=(true < low).filter(given).mean(),
            above=(true > high).filter(given).mean(),
            covered_realised=((low <= pl.col("realised_s")) & (pl.col("realised_s") <= high))
            .filter(given)
            .mean(),
            half_width=((high - low) / 2 / true).filter(given).median(),
            bias=off.mean(),
            spread=off.std(),
            bias_realised=(pl.col("demand_s") / pl.col("realised_s") - 1).mean(),
        )
        .sort("station", "workload")
    )


def coverage(
    runs: int,
    seed: int,
    estimate: Estimate | str,
    *,
    workers: int = 2,
    monitoring: Monitoring | None = None,
) -> pl.DataFrame:
    """``summary`` of ``runs`` hosts; ``estimate`` is a function of a module, or ``module:function``."""
    return summary(cases(runs, seed, estimate, workers=workers, monitoring=monitoring))


def _found(name: str) -> Estimate:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("--runs", type=int, default=400)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--estimate", default="estimates:by_ledger")
    asked.add_argument("--cases", type=Path, help="write the single cases here (.csv)")
    options = asked.parse_args()
    found = cases(options.runs, options.seed, options.estimate, workers=options.workers)
    if options.cases:
        found.write_csv(options.cases)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, float_precision=4):
        print(summary(found))


if __name__ == "__main__":
    main()
