"""The page *Scalability and consolidation*: sweeps over threads and series of loaded virtual servers, as frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.api import Deployment, HoldoutData
from pipeline.evaluate import consolidation
from pipeline.evaluate.acceptance import ACCEPT_REL_ERROR_X
from pipeline.evaluate.scalability import compare_sweeps, law_parameters, summarize_sweeps
from pipeline.evaluate.scalability_texts import ALL_LEVELS, LAW, LOW_LEVELS
from pipeline.evaluate.texts import HOST_MODEL
from pipeline.report import scaling_texts as texts
from pipeline.report.tables.holdout import deployment_text
from pipeline.units import format_percent

MEASURED = "measured"
ACCEPTED_PERCENT = 100 * ACCEPT_REL_ERROR_X
NAMES = {HOST_MODEL: "host model"}
"""Names of models that need a noun."""


@dataclass(frozen=True)
class Scalability:
    """What the page shows, computed when it is first used."""

    data: HoldoutData

    @cached_property
    def levels(self) -> pl.DataFrame:
        """Every model at every level (``evaluate.scalability.SWEEPS``)."""
        return compare_sweeps(self.data.observations).with_columns(pl.col("model").replace(NAMES))

    @cached_property
    def summary(self) -> pl.DataFrame:
        """Errors of each model (``evaluate.scalability.SUMMARY``)."""
        return summarize_sweeps(self.levels)

    @cached_property
    def parameters(self) -> pl.DataFrame:
        """The law of each sweep."""
        return law_parameters(self.data.observations)

    @cached_property
    def series(self) -> list[consolidation.Series]:
        """The consolidation series."""
        return consolidation.list_series(self.data.observations)

    @cached_property
    def consolidated(self) -> pl.DataFrame:
        """The series, measured and predicted (``evaluate.consolidation.CONSOLIDATION``)."""
        return consolidation.compare_consolidation(self.data.observations)

    @property
    def sweeps(self) -> list[Deployment]:
        """(server, virtual server) of each sweep."""
        return self.levels.select("server", "virtual_server").unique(maintain_order=True).rows()

    def name_of(self, place: Deployment) -> str:
        """The virtual server and its server, as text."""
        return deployment_text(self.data, place)


def _of(frame: pl.DataFrame, place: Deployment, split: str | None = None) -> pl.DataFrame:
    rows = frame.filter(server=place[0], virtual_server=place[1])
    return rows if split is None else rows.filter(levels_fitted=split)


# -- answers -----------------------------------------------------------------------------------------------


def headline(page: Scalability) -> tuple[list[str], str]:
    """Where each model leaves the data, and the kind of the answer."""
    sentences = []
    for place in page.sweeps:
        low = _of(page.levels, place, LOW_LEVELS)
        fitted, others = (
            sorted(low.filter(pl.col("is_fitted") == flag)["population"].unique())
            for flag in (True, False)
        )
        summary = _of(page.summary, place, LOW_LEVELS)
        errors = dict(zip(summary["model"], summary["max_error_X"], strict=True))
        sentences.append(texts.sweep_answer(page.name_of(place), fitted, others, errors))
    for (server, name, _), rows in page.consolidated.group_by(
        "server", "virtual_servers", "load", maintain_order=True
    ):
        growth = consolidation.demand_growth(rows).row(0, named=True)
        beyond = rows.filter(pl.col("loaded") > rows["loaded"].min())
        errors = [
            texts.model_errors(quantity, beyond[column].min(), beyond[column].max())
            for quantity, column in (("R", "error_R"), ("X", "error_X"), ("CPU time", "error_cpu"))
            if beyond[column].drop_nulls().len()
        ]
        sentences.append(
            texts.consolidation_answer(
                f"{name} on {server}",
                growth["loaded"],
                (growth["ratio"], growth["low"], growth["high"]),
                errors or [str(beyond["reason"][0])],
            )
        )
    host = page.summary.filter(model=NAMES[HOST_MODEL])
    is_good = host["leaves_at"].null_count() == host.height and bool(host.height)
    return sentences or [texts.NO_SWEEP], "good" if is_good else "warning"


def key_figures(page: Scalability) -> dict[str, str]:
    """The law's parameters of each sweep, with intervals."""
    figures = {}
    for place in page.sweeps:
        for row in _of(page.parameters, place).iter_rows(named=True):
            if row["parameter"] in ("sigma", "peak_N", "max_X"):
                name = texts.PARAMETER_NAMES[row["parameter"]]
                figures[f"{page.name_of(place)}: {name}"] = texts.limits(
                    row["value"], row["low"], row["high"]
                )
    return figures


def all_levels_text(page: Scalability) -> list[str]:
    """Mean errors of the models fitted to every level, one sentence per sweep."""
    sentences = []
    for place in page.sweeps:
        rows = _of(page.summary, place, ALL_LEVELS)
        errors = dict(zip(rows["model"], rows["mean_abs_error_X"], strict=True))
        sentences.append(texts.all_levels_answer(page.name_of(place), errors))
    return sentences


# -- frames ------------------------------------------------------------------------------------------------


def df_throughput(page: Scalability, place: Deployment, split: str = LOW_LEVELS) -> pl.DataFrame:
    """X over the threads, measured and modelled, for ``charts.over_population``."""
    rows = _of(page.levels, place, split)
    measured = rows.filter(model=LAW).select(
        source=pl.lit(MEASURED),
        is_measured=pl.lit(True),
        population="population",
        value="X_measured_per_s",
        low="X_measured_low_per_s",
        high="X_measured_high_per_s",
    )
    modelled = rows.select(
        source="model",
        is_measured=pl.lit(False),
        population="population",
        value="X_per_s",
        low="X_low_per_s",
        high="X_high_per_s",
    )
    return pl.concat([measured, modelled])


def df_errors(page: Scalability, place: Deployment) -> pl.DataFrame:
    """Relative errors of X by model and level, in percent, for ``charts.sweep_errors``."""
    return _of(page.levels, place).select(
        "levels_fitted",
        "model",
        "population",
        "is_fitted",
        error=100 * pl.col("error_X"),
        low=100 * (pl.col("X_per_s") / pl.col("X_measured_high_per_s") - 1),
        high=100 * (pl.col("X_per_s") / pl.col("X_measured_low_per_s") - 1),
    )


def df_summary(page: Scalability, place: Deployment) -> pl.DataFrame:
    """Errors of each model over the levels that it was not fitted to; errors as percentages."""
    rows = _of(page.summary, place).drop("server", "virtual_server")
    return rows.with_columns(
        _percent("mean_abs_error_X", sign=False),
        _percent("max_error_X"),
        _percent("mean_abs_error_R", sign=False),
    )


def df_parameters(page: Scalability, place: Deployment) -> pl.DataFrame:
    """The law's parameters with intervals, fitted to all levels."""
    rows = _of(page.parameters, place)
    reason = [] if rows["reason"].null_count() == rows.height else ["reason"]
    return rows.select(
        pl.col("parameter").replace(texts.PARAMETER_NAMES),
        *(_limit(name) for name in ("value", "low", "high")),
        *reason,
    )


def df_levels(page: Scalability, place: Deployment) -> pl.DataFrame:
    """Every model at every level; errors as percentages."""
    rows = _of(page.levels, place).drop("server", "virtual_server", "R_low_ms", "R_high_ms")
    return rows.with_columns(_percent("error_X"), _percent("error_R"))


def df_consolidation(page: Scalability) -> pl.DataFrame:
    """Measured and predicted per number of loaded virtual servers; errors as percentages."""
    frame = page.consolidated

    def interval(name: str) -> pl.Expr:
        ends = pl.struct(f"{name}_low", f"{name}_high").map_elements(
            lambda row: (
                None
                if None in row.values()
                else " to ".join(f"{value:.3g}" for value in row.values())
            ),
            pl.String,
        )
        return ends.alias(f"{name.replace('_measured', '')}_interval")

    chosen = frame.select(
        *("server", "virtual_servers", "load", "loaded", "runs", "saturated", "X_measured"),
        interval("X_measured"),
        *("X_model", "R_measured"),
        interval("R_measured"),
        "R_model",
        interval("R_model"),
        _percent("error_R"),
        "cpu_measured",
        interval("cpu_measured"),
        "cpu_model",
        _percent("error_cpu"),
        *("busy_measured", "busy_model", "reason"),
    )
    is_empty = chosen["reason"].null_count() == chosen.height
    return chosen.drop("reason") if is_empty else chosen


def df_consolidated(page: Scalability, quantity: str) -> pl.DataFrame:
    """``R`` or ``cpu`` over the number of loaded virtual servers, for ``charts.over_population``."""
    frame = page.consolidated
    name = pl.concat_str("virtual_servers", pl.lit(" on "), "server", pl.lit(", "), "load")
    parts = []
    for source, is_measured in ((MEASURED, True), ("host model", False)):
        column = f"{quantity}_{'measured' if is_measured else 'model'}"
        ends = [f"{column}_low", f"{column}_high"]
        has_ends = set(ends) <= set(frame.columns)
        parts.append(
            frame.select(
                source=pl.concat_str(name, pl.lit(f": {source}")),
                is_measured=pl.lit(is_measured),
                population="loaded",
                value=column,
                low=pl.col(ends[0]) if has_ends else pl.lit(None, pl.Float64),
                high=pl.col(ends[1]) if has_ends else pl.lit(None, pl.Float64),
            )
        )
    return pl.concat(parts)


def df_total_law(page: Scalability) -> pl.DataFrame:
    """The law of the total throughput over the number of loaded virtual servers, of each series."""
    frames = []
    for series in page.series:
        fit = consolidation.total_throughput_law(series)
        if fit is not None:
            frames.append(
                fit.parameters.select(
                    pl.lit(series.server).alias("server"),
                    pl.lit(series.load.label).alias("load"),
                    pl.col("parameter").replace(texts.PARAMETER_NAMES),
                    *(_limit(name) for name in ("value", "low", "high")),
                )
            )
    return pl.concat(frames) if frames else pl.DataFrame()


def _limit(name: str) -> pl.Expr:
    """Numbers as text, where some have no limit."""
    return (
        pl.col(name)
        .map_elements(lambda x: "no limit" if np.isinf(x) else f"{x:.4g}", pl.String)
        .alias(name)
    )


def _percent(name: str, *, sign: bool = True) -> pl.Expr:
    return pl.col(name).map_elements(lambda x: format_percent(x, sign=sign), pl.String).alias(name)
