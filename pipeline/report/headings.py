"""Headings of the tables on the report's pages, by column name, with units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

DEFAULT = {
    "as_printed": "as-printed",
    "client_alone": "client, alone",
    "client_ratio": "client, ratio",
    "client_together": "client, co-located",
    "error_X": "error of X",
    "error_R": "error of R",
    "from_server": "from server",
    "high": "95 % CI: high",
    "interval": "95 % interval",
    "is_client": "from the client",
    "longest_s": "longest step (s)",
    "low": "95 % CI: low",
    "median_s": "median step (s)",
    "model_alone": "model (corrected), alone",
    "model_ratio": "model, ratio",
    "model_together": "model, co-located",
    "neighbour_cpu_percent": "CPU of idle neighbours (% of one CPU)",
    "offset_ms": "offset (ms)",
    "queue_length": "requests in flight",
    "relative_demand": "demand, relative to its load's mean",
    "role_in_fit": "role in the fit",
    "source_a": "source A (± resolution)",
    "source_b": "source B (± resolution)",
    "time": "time (UTC)",
    "to_server": "to server",
    "uncertainty_ms": "uncertainty (ms)",
    "utilization": "utilization (0 to 1)",
    "value_ms": "value (ms)",
}
"""Headings of columns on every page, unless a table has its own; others are shown by their names."""
LEDGER = {"low": "low", "high": "high", "interval": "interval", "value": "value"}
"""A ledger's interval is of resolution or of confidence, see its column ``interval``."""
RESOLUTION = {"low": "resolution: low", "high": "resolution: high"}
MILLISECONDS = {"value": "value (ms)", "low": "95 %: low (ms)", "high": "high (ms)"}
PREDICTION = {"low": "95 % prediction interval: low", "high": "high"}
TRACK = {
    "start_s": "time in the load (s)",
    "window": "window (ms)",
    "value": "filtered (ms)",
    "low": "95 %: low (ms)",
    "high": "high (ms)",
}
HOST_CPU = {
    "seconds": "CPU time (s)",
    "per_request_ms": "per request (ms)",
    "low_ms": "95 % CI: low (ms)",
    "high_ms": "high (ms)",
    "missing": "reason if missing",
}
HELD_OUT = {
    "X_measured": "X (1/s)",
    "error_X": "error of X",
    "R_measured": "R (ms)",
    "R_interval": "95 %",
    "R_model": "model R (ms)",
    "error_R": "error of R",
    "share": "share (%)",
    "error_R_linear": "linear",
    "outcome_by_mean": "by mean",
}
DECOMPOSITION = {
    "predicted_ms": "predicted",
    "arrivals_ms": "arrivals",
    "cpu_demand_ms": "CPU",
    "disk_demand_ms": "disks",
    "contention_ms": "contention",
    "contention_timing_ms": "contention timing",
    "residual_ms": "residual",
    "residual_se_ms": "±",
    "measured_ms": "measured",
    "error_ms": "error",
    "attributed": "share",
}
SUMMARY = {
    "mean_abs_error_X": "error of X",
    "mean_abs_error_R": "error of R",
    "max_abs_error_R": "largest error of R",
    "error_R_run_demands": "error of R, own demands",
}
BOOTSTRAP = {
    "error_R": "error",
    "error_R_vs_arithmetic_mean": "error vs. mean",
    "outcome_here": "this study",
}
TRANSFER = {
    "X_measured_per_s": "X (1/s)",
    "X_per_s": "model X (1/s)",
    "R_measured_ms": "R (ms)",
    "R_ms": "model R (ms)",
    "R_ratio_measured": "R, to / from",
}
COLOCATED = {
    "R_measured": "R (ms)",
    "R_alone": "R from runs with one load (ms)",
    "error_R_alone": "error",
    "R_interference": "R with interference (ms)",
    "error_R": "error with interference",
    "demand_inflation": "demand inflation",
}
DEMAND_AND_RATE = {
    "loads": "loads (1/s, threads)",
    "ratio": "demand, highest / lowest load",
    "low": "95 %: low",
    "p": "p, all sweeps",
    "p_lack_of_fit": "p, lack of fit",
    "largest_change": "largest change allowed",
}
REGRESSION = {
    "regression_ms": "by regression (ms)",
    "mean_ms": "mean over runs (ms)",
}
EFFECTS = {
    "effect": "high / low",
    "share": "share",
    "p_family": "p (Holm)",
    "limit": "at most",
}
MODEL_EFFECTS = {
    "unexplained": "measured / predicted",
    "predicted_own": "predicted, own demands",
    "unexplained_own": "measured / predicted, own demands",
}
NOISE = {
    "residual": "run, about the effects",
    "replicates": "between replicates",
    "drift": "slowest block / fastest",
    "share_error": "share: error",
    "share_blocks": "share: blocks",
    "detectable": "half-width of an effect's interval",
}
COVARIATES = {
    "residual": "R of a run",
    "residual_adjusted": "R of a run, adjusted",
    "low": "minimum",
    "high": "maximum",
    "share": "share of variation",
    "changed": "changed verdicts",
}
RECORDED = {
    "error": "error of R",
    "role_in_fit": "role",
    "R": "R (ms)",
    "R_model": "model R (ms)",
    "process": "arrivals",
    "X": "X (1/s)",
    "X_model": "model X (1/s)",
}
CURVE = {
    "R": "R (ms)",
    "R_low": "R, 95 %: low (ms)",
    "R_high": "R, high (ms)",
    "X": "X (1/s)",
    "X_low": "X, 95 %: low (1/s)",
    "X_high": "X, high (1/s)",
}


def column_headings(columns: Iterable[str], headings: Mapping[str, str] | None = None) -> list[str]:
    """Headings of a table's columns: its own ``headings``, else ``DEFAULT``, else the name.

    Words in a name are spaced; symbols such as ``R_cpu`` stay.
    """
    texts = DEFAULT | dict(headings or {})
    return [texts.get(name, name.replace("_", " ") if name.islower() else name) for name in columns]


def rank(better: str, worse: str) -> dict[str, str]:
    """Headings of ``df_rank``."""
    return {
        "better_ms": f"{better} (ms)",
        "worse_ms": f"{worse} (ms)",
        "ratio": f"{worse} / {better}",
        "ranks": f"{better} is faster",
        "off_better": f"model / client, {better}",
        "off_worse": f"model / client, {worse}",
    }


def scenarios(is_open: bool) -> dict[str, str]:
    """Headings of ``df_scenarios``."""
    unit = "(1/s)" if is_open else "(threads)"
    return {
        "scenario": "",
        "R": "R (ms)",
        "capacity": f"capacity for target {unit}",
        "knee": "knee (1/s)" if is_open else "N* (threads)",
        "most": "max throughput (1/s)",
    }


WINNERS = {
    "virtual_server": "virtual server",
    "best": "lowest error",
    "next": "next",
    "difference": "difference (95 %)",
}
LEARNED_SCORES = {
    "median_R": "R: median (95 %)",
    "p90_R": "R: 90th percentile (95 %)",
    "seeds": "R: median, over seeds",
    "median_R_of_runs": "single runs: median",
    "p90_R_of_runs": "single runs: 90th percentile",
    "median_X": "X: median (95 %)",
    "p90_X": "X: 90th percentile (95 %)",
}
PUBLISHED_ERRORS = {"median": "median error", "p90": "90th percentile"}
PREDICTOR_ERRORS = {"error": "median error of R (%)", "low": "95 %: low", "high": "high"}
LEARNING_CURVES = {
    "training_runs": "training runs",
    "error": "median error of R (%)",
    "low": "lowest",
    "high": "highest",
}
LEARNED_LOADS = {"virtual_server": "virtual server", "R_measured_ms": "measured R (ms)"}
