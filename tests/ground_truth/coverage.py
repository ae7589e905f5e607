"""Coverage of an estimate's intervals: random hosts, simulated, and estimated from their raw text.

    python tests/ground_truth/coverage.py --runs 400 --seed 1 --estimate estimates:by_ledger

An estimate is a function ``estimate(recorded: Recorded) -> polars.DataFrame`` with the columns
``virtual_server``, ``station`` (cpu, vdisk, disk), ``demand``, ``low``, ``high`` (s per request; null if there is no
estimate). Its input is the raw run and its tables, without the true values.
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
"""One row per host and station: true and estimated demand."""


@dataclass
class Recorded:
    """A simulated run as the input of an estimate."""

    run: Run
    folder: Path = field(repr=False)

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables by name, with ``role``, parsed from the raw text and not stored."""
        return ingest.parse_run(self.run).frames

    @cached_property
    def processed(self) -> Path:
        """The folder of the ingested run, for functions that read Parquet (``ledger.run_ledger``)."""
        folder = self.folder / "processed"
        ingest.ensure_ingested([self.run], folder)
        return folder


Estimate = Callable[[Recorded], pl.DataFrame]


def record_run(plan: Plan, seed: int, folder: Path) -> tuple[Recorded, dict]:
    """Simulate the plan's run ``RUN`` on ``SERVER``, write it below ``folder`` as raw text, and read it back.

    Returns the input of an estimate and the true values (pipeline/synthetic/ground_truth.py).
    """
    history = simulate_run(plan, SERVER, RUN, seed)
    raw = folder / "raw"
    write_run(history, STUDY, raw / STUDY / SERVER / RUN)
    (raw / STUDY / "study.json").write_text(json.dumps(study_manifest([plan], STUDY)))
    return Recorded(find_run(raw, STUDY, SERVER, RUN), folder), ground_truth(history)


def random_host(seed: int, monitoring: Monitoring | None = None) -> Plan:
    """The random host of a seed.

    A web server's access.log has the times of its requests. A database's general.log, twenty lines per transaction, is
    not written: sysbench's one line per second is enough.
    """
    plan = draw_plan(np.random.default_rng([seed, 2026]))
    is_open = any(server.kind == "open" for server in plan.virtual_servers.values())
    return replace(plan, monitoring=monitoring or Monitoring(server_logs=is_open))


def evaluate_host(
    seed: int, estimate: Estimate | str, monitoring: Monitoring | None = None
) -> list:
    """Rows of CASES for the host of one seed."""
    estimate_demands = _load_estimate(estimate) if isinstance(estimate, str) else estimate
    with tempfile.TemporaryDirectory(prefix="ground-truth-") as folder:
        recorded_run, true_values = record_run(random_host(seed, monitoring), seed, Path(folder))
        estimates = estimate_demands(recorded_run)
    rows = []
    for name, server in true_values["virtual_servers"].items():
        for station, true in server["stations"].items():
            is_station = (pl.col("virtual_server") == name) & (pl.col("station") == station)
            selected = estimates.filter(is_station)
            no_estimate = dict.fromkeys(estimates.columns)
            estimate_row = selected.row(0, named=True) if selected.height else no_estimate
            rows.append(
                (
                    seed,
                    server["kind"],
                    station,
                    true["demand_s"],
                    true["realised_s"],
                    true["utilization"],
                    estimate_row["demand"],
                    estimate_row["low"],
                    estimate_row["high"],
                )
            )
    return rows


def evaluate_hosts(
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
        rows = [evaluate_host(host_seed, estimate, monitoring) for host_seed in seeds]
    else:
        os.environ["POLARS_MAX_THREADS"] = "1"
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            rows = list(
                pool.map(evaluate_host, seeds, [estimate] * runs, [monitoring] * runs, chunksize=4)
            )
    return pl.DataFrame(
        [row for rows_of_host in rows for row in rows_of_host], schema=CASES, orient="row"
    )


def summarize(cases: pl.DataFrame) -> pl.DataFrame:
    """One row per station and workload (and ``all``).

    ``answered``: hosts with an interval; ``covered``: share of those whose interval contains the true demand;
    ``below``, ``above``: share where the true demand is below or above it; ``covered_realised``: contains the mean of
    the drawn demands; ``half_width``: median of half the interval over the true demand; ``bias``, ``spread``:
    mean and standard deviation of estimate / truth − 1 (``bias_realised``: against the demands that were drawn).
    """
    parts = [cases, cases.with_columns(workload=pl.lit("all"))]
    true, low, high = pl.col("true_s"), pl.col("low_s"), pl.col("high_s")
    has_interval = low.is_not_null() & high.is_not_null()
    relative_error = pl.col("demand_s") / true - 1
    return (
        pl.concat(parts)
        .group_by("station", "workload", maintain_order=True)
        .agg(
            n=pl.len(),
            answered=has_interval.sum(),
            covered=((low <= true) & (true <= high)).filter(has_interval).mean(),
            below=(true < low).filter(has_interval).mean(),
            above=(true > high).filter(has_interval).mean(),
            covered_realised=((low <= pl.col("realised_s")) & (pl.col("realised_s") <= high))
            .filter(has_interval)
            .mean(),
            half_width=((high - low) / 2 / true).filter(has_interval).median(),
            bias=relative_error.mean(),
            spread=relative_error.std(),
            bias_realised=(pl.col("demand_s") / pl.col("realised_s") - 1).mean(),
        )
        .sort("station", "workload")
    )


def summarize_hosts(
    runs: int,
    seed: int,
    estimate: Estimate | str,
    *,
    workers: int = 2,
    monitoring: Monitoring | None = None,
) -> pl.DataFrame:
    """The summary of ``runs`` hosts; ``estimate`` is a function of a module, or ``module:function``."""
    return summarize(evaluate_hosts(runs, seed, estimate, workers=workers, monitoring=monitoring))


def _load_estimate(name: str) -> Estimate:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--estimate", default="estimates:by_ledger")
    parser.add_argument("--cases", type=Path, help="file for the single cases (.csv)")
    options = parser.parse_args()
    cases = evaluate_hosts(options.runs, options.seed, options.estimate, workers=options.workers)
    if options.cases:
        cases.write_csv(options.cases)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, float_precision=4):
        print(summarize(cases))


if __name__ == "__main__":
    main()
