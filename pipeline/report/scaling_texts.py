"""Sentences and headings of the page *Scalability and consolidation*."""

from __future__ import annotations

import math

from pipeline.units import format_percent, format_short

NO_SWEEP = "No virtual server of this study has a closed load at four populations or more."
NO_SERIES = (
    "This study has no runs in which one, two or more virtual servers of the same software have "
    "the same open load."
)

PARAMETER_NAMES = {
    "sigma": "contention σ",
    "kappa": "coherency κ",
    "lambda": "throughput of one λ (1/s)",
    "peak_N": "N of the largest X",
    "max_X": "largest X (1/s)",
}
SUMMARY = {
    "levels_fitted": "fitted to",
    "fitted_up_to": "up to N",
    "levels": "levels compared",
    "mean_abs_error_X": "mean error of X",
    "max_error_X": "largest error of X",
    "max_error_population": "at N",
    "mean_abs_error_R": "mean error of R",
    "leaves_at": "leaves the data at N",
}
LEVELS = {
    "population": "N",
    "levels_fitted": "fitted to",
    "is_fitted": "fitted",
    "X_measured_per_s": "X (1/s)",
    "X_measured_low_per_s": "95 % CI: low",
    "X_measured_high_per_s": "high",
    "X_per_s": "model X (1/s)",
    "X_low_per_s": "95 % prediction interval: low",
    "X_high_per_s": "high",
    "R_measured_ms": "R (ms)",
    "R_ms": "model R (ms)",
    "is_outside": "outside",
}
CONSOLIDATION = {
    "virtual_servers": "virtual servers",
    "X_measured": "X (1/s)",
    "X_interval": "95 %",
    "X_model": "model X (1/s)",
    "R_measured": "R (ms)",
    "R_interval": "95 %",
    "R_model": "model R (ms)",
    "R_model_interval": "95 % prediction interval",
    "cpu_measured": "CPU per request (ms)",
    "cpu_interval": "95 %",
    "cpu_model": "model CPU (ms)",
    "error_cpu": "error of CPU",
    "busy_measured": "CPU utilization",
    "busy_model": "model",
}


def _upper(name: str) -> str:
    """The name at the start of a sentence."""
    return name[:1].upper() + name[1:]


def levels_text(levels: list[int]) -> str:
    """``8, 16 and 32``."""
    *first, last = map(str, levels)
    return f"{', '.join(first)} and {last}" if first else last


def sweep_answer(name: str, fitted: list[int], others: list[int], errors: dict[str, float]) -> str:
    """How far each model is off beyond the low levels. ``errors``: model → its largest relative error of X."""
    parts = [f"{model} {format_percent(error)}" for model, error in errors.items()]
    return (
        f"{_upper(name)}: fitted to {levels_text(fitted)} threads, the largest error of X at "
        f"{levels_text(others)} threads: {', '.join(parts)}."
    )


def all_levels_answer(name: str, errors: dict[str, float]) -> str:
    """Mean errors of models that were fitted to every level."""
    parts = [f"{format_percent(error, sign=False)} ({model})" for model, error in errors.items()]
    return f"{_upper(name)}: fitted to all levels, the mean error of X is {', '.join(parts)}."


def consolidation_answer(
    name: str, count: int, growth: tuple[float, float | None, float | None], errors: list[str]
) -> str:
    """What more loaded virtual servers do, and what the model says."""
    ratio, low, high = growth
    interval = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return (
        f"{name}: with {count} loaded, a request takes {ratio:.2f}{interval} times the CPU time that it takes with "
        f"one. The host model, fitted to one, {'; '.join(errors)}."
    )


def model_errors(quantity: str, low: float, high: float) -> str:
    """The range of the relative errors of a quantity."""
    return f"misses {quantity} by {format_percent(low)} to {format_percent(high)}"


def limits(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval: ``85 (10 to no limit)``."""
    shown = "no limit" if value is None or math.isinf(value) else format_short(value)
    if low is None or high is None:
        return shown
    top = "no limit" if math.isinf(high) else format_short(high)
    return f"{shown} ({'no limit' if math.isinf(low) else format_short(low)} to {top})"
