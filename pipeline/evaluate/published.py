"""The paper's published numbers (data/raw/published), and quantities derived from them.

Derived quantities assume equation 10 with the service demand in its own denominator; other variants name themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from pipeline import equations as eq
from pipeline.files import project_path

FOLDER = "published"

TABLE_HEADINGS = {
    "virtual_server": "virtual server",
    "r_cpu_ms": "R_cpu (ms)",
    "r_vdisk_ms": "R_vdisk (ms)",
    "r_disk_ms": "R_disk (ms)",
    "x_req_per_s": "X (req/s)",
}
"""Column headings of the paper."""

QUANTITIES = {
    "r_cpu_ms": "R_cpu",
    "r_vdisk_ms": "R_vdisk",
    "r_disk_ms": "R_disk",
    "x_req_per_s": "X",
}


def read_published(raw: Path | str, name: str, **options: Any) -> pl.DataFrame:
    """A file of the folder of published numbers; ``options`` are those of :func:`polars.read_csv`."""
    return pl.read_csv(project_path(raw) / FOLDER / name, infer_schema_length=None, **options)


def read_tables(raw: Path | str) -> pl.DataFrame:
    """Tables I and II: ``table``, ``server``, ``virtual_server`` and the columns of ``QUANTITIES``."""
    return read_published(raw, "tables.csv").with_columns(pl.col(*QUANTITIES).cast(pl.Float64))


def read_servers(raw: Path | str) -> pl.DataFrame:
    """The two physical servers as the paper describes them; null where it does not."""
    return read_published(raw, "servers.csv")


def read_workloads(raw: Path | str) -> pl.DataFrame:
    """The two virtual servers, what they run, and their load."""
    return read_published(raw, "workloads.csv")


def derive_quantities(tables: pl.DataFrame, workloads: pl.DataFrame) -> pl.DataFrame:
    """Derive demands, utilizations and bounds from the published tables, one row per virtual and physical server.

    Added to the columns of ``tables``:

    - ``d_vdisk_ms``, ``u_vdisk``, ``d_disk_ms``, ``u_disk``: equation 10 backwards, D = R / (1 + X R), U = X D;
    - ``u_cpu``: X R_cpu, processors kept busy by requests (R_cpu of equation 2 is a demand);
    - ``r_req_ms`` (as-printed: the sum of the three) and ``r_req_nested_ms`` (R_cpu + the larger of the two disks);
    - ``nests``: whether the guest's disk time is at least the host's, as nesting requires;
    - ``population``, ``little_ms`` = N / X, ``little_ratio`` = (N / X) / R_req, ``in_flight`` = X R_req: Little's
      law for closed workloads, null for open ones;
    - ``x_single_per_s`` = 1 / ΣD: X of a single customer without think time, and
      ``x_lower_bound_per_s`` = N / (ΣD + (N − 1) D_max): lower bound on X of N customers in any
      product-form network of queues with these demands (balanced job bounds, Zahorjan et al. 1982). Closed only.
    """
    frame = tables.join(
        workloads.select("virtual_server", "kind", population="threads"),
        on="virtual_server",
        how="left",
        maintain_order="left",
    )
    throughput = frame["x_req_per_s"].to_numpy()
    columns: dict[str, pl.Series] = {}
    for disk in ("vdisk", "disk"):
        residence_s = frame[f"r_{disk}_ms"].to_numpy() / 1e3
        demand_s = eq.demand_from_residence_time(residence_s, throughput)
        columns[f"d_{disk}_ms"] = pl.Series(demand_s * 1e3)
        columns[f"u_{disk}"] = pl.Series(eq.utilization_from_demand(demand_s, throughput))
    parts = [frame[f"r_{part}_ms"].to_numpy() for part in ("cpu", "vdisk", "disk")]
    columns["u_cpu"] = pl.Series(eq.utilization_from_demand(parts[0] / 1e3, throughput))
    columns["r_req_ms"] = pl.Series(eq.response_time(*parts, variant="as-printed"))
    columns["r_req_nested_ms"] = pl.Series(eq.response_time(*parts, variant="nested"))
    frame = frame.with_columns(**columns).with_columns(
        nests=pl.col("r_vdisk_ms") >= pl.col("r_disk_ms"),
        little_ms=pl.col("population") / pl.col("x_req_per_s") * 1e3,
    )
    demands = ("r_cpu_ms", "d_vdisk_ms", "d_disk_ms")
    total, largest = pl.sum_horizontal(demands), pl.max_horizontal(demands)
    is_closed = pl.col("population").is_not_null()
    return frame.with_columns(
        little_ratio=pl.col("little_ms") / pl.col("r_req_ms"),
        in_flight=pl.when(is_closed).then(pl.col("x_req_per_s") * pl.col("r_req_ms") / 1e3),
        x_single_per_s=pl.when(is_closed).then(1e3 / total),
        x_lower_bound_per_s=pl.when(is_closed).then(
            1e3 * pl.col("population") / (total + (pl.col("population") - 1) * largest)
        ),
    )
