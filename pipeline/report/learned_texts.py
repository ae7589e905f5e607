"""Sentences of the page about learned predictors."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.units import format_percent

NOTHING_SCORED = "No load of this study can be predicted from other runs."
NO_INTERVAL = "no interval: fewer than 3 loads"

PUBLISHED = (
    ("Kundu et al., HPCA 2010, on Xen", "neural net", "1.16 to 6.65 %", "not in the abstract"),
    (
        "Kundu et al., VEE 2012, RUBiS and Filebench",
        "neural net, support vector machine",
        "up to 4.36 %",
        "up to 29.17 %",
    ),
)
"""Source, predictor, median and 90th percentile of the prediction error, as the abstracts print them."""
PUBLISHED_CAPTION = (
    "Printed by Kundu et al. for their own data: other applications, machines and features. The figures are what was "
    "reached there, and no comparison with the table above."
)


def percent(error: float | None) -> str:
    """A relative error without a sign; what it means if it is missing."""
    return format_percent(error, sign=False) or "infinite"


def span(low: float | None, high: float | None) -> str:
    """``5.5 to 27 %``."""
    start, end = percent(low), percent(high)
    is_shared = start.endswith(" %") and end.endswith(" %")
    return f"{start.removesuffix(' %') if is_shared else start} to {end}"


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """``9.0 % (5.5 to 27 %)``; without a lower end there is no interval, a missing upper end is infinite."""
    return percent(value) if low is None else f"{percent(value)} ({span(low, high)})"


def points(value: float | None, low: float | None, high: float | None) -> str:
    """A difference of two errors in percentage points, with its interval."""
    numbers = [
        "infinite" if number is None else f"{100 * number:,.{int(abs(number) < 0.1)}f}"
        for number in (value, low, high)
    ]
    return numbers[0] if low is None else f"{numbers[0]} ({numbers[1]} to {numbers[2]})"


def verdict(is_significant: bool | None) -> str:
    """Whether the lead of the best predictor is more than chance."""
    if is_significant is None:
        return NO_INTERVAL
    return "beyond chance" if is_significant else "not beyond chance"


def beyond_chance(predictor: str, settings: Sequence[str]) -> str:
    """The settings in which a predictor has the lowest error with significance."""
    return f"The {predictor} predicts R best, beyond chance, for {' and for '.join(settings)}."


def not_beyond_chance(settings: Sequence[str]) -> str:
    """The settings in which no predictor has."""
    return f"No predictor of R is best beyond chance for {' or for '.join(settings)}."


def setting_with_errors(setting: str, best: str, error: str, runner_up: str, other: str) -> str:
    """A setting, the median error of the predictor with the lowest, and of the next one."""
    return f"{setting} ({best} {error}, {runner_up} {other})"


def replication(error: float) -> str:
    """How far a run deviates from other runs of its load."""
    return (
        f"A run deviates by {percent(error)} (median) from the typical run of the other runs of its load. Errors over "
        "single runs contain this variation, whatever predicts them; errors over typical runs contain less of it."
    )


def not_scored(loads: Sequence[str]) -> str:
    """Loads that have no steady state."""
    return (
        "Not scored, since a run was saturated and has no steady state: " + ", ".join(loads) + "."
    )
