"""Noise of a designed experiment and covariates of its response time, as the page of its factors shows them."""

from __future__ import annotations

import polars as pl

from pipeline.api import ExperimentData, MissingData
from pipeline.evaluate.influence import COVARIATES, RESPONSES
from pipeline.report import influence_texts as texts
from pipeline.report.tables.influence import (
    RESPONSE_TIME,
    effect_title,
    share_text,
    texts_frame,
)
from pipeline.units import format_number


def df_noise(data: ExperimentData) -> pl.DataFrame:
    """The noise of each response as text.

    Columns: ``response``, ``runs``, ``residual``, ``replicates``, ``drift`` (slowest block over fastest),
    ``share_error``, ``share_blocks``, ``detectable`` (half-width of a factor's interval).
    """
    rows = []
    for row in data.noise.iter_rows(named=True):
        name = row["response"]
        drift = row["drift"]
        if drift is not None:
            drift = f"×{format_number(drift)}" if data.fits[name].is_ratio else format_number(drift)
        rows.append(
            {
                "response": RESPONSES[name].symbol,
                "runs": str(row["runs"]),
                "residual": _spread(data, name, row["residual"]),
                "replicates": _spread(data, name, row["replicates"]),
                "drift": drift,
                "share_error": share_text(row["share_error"]),
                "share_blocks": share_text(row["share_blocks"]),
                "detectable": _spread(data, name, row["detectable"]),
            }
        )
    return texts_frame(
        rows, "response runs residual replicates drift share_error share_blocks detectable"
    )


def _spread(data: ExperimentData, response: str, value: float | None) -> str | None:
    """``± 4.2 %`` where effects are ratios, else ``± 3 ms``."""
    if value is None:
        return None
    if data.fits[response].is_ratio:
        return f"± {100 * value:.3g} %"
    return f"± {format_number(value)} {RESPONSES[response].unit}"


def df_covariates(data: ExperimentData) -> pl.DataFrame:
    """Effects on R with and without each covariate.

    Columns: ``covariate``, ``runs``, ``low``, ``median``, ``high`` (of the covariate), ``residual``,
    ``residual_adjusted`` (standard deviations of R about the effects), ``share``, ``changed`` (factors whose verdict
    differs).
    """
    rows = []
    plain = data.fits.get(RESPONSE_TIME)
    for name, title in COVARIATES.items():
        values = data.runs[name].drop_nulls()
        if plain is None or values.len() < 2:
            continue
        row = {
            "covariate": title,
            "runs": values.len(),
            "low": values.min(),
            "median": values.median(),
            "high": values.max(),
            "residual": _spread(data, RESPONSE_TIME, plain.residual_sd),
        }
        try:
            adjusted = data.adjusted(RESPONSE_TIME, [name])
        except MissingData:
            rows.append(row)
            continue
        verdicts = dict(zip(plain.table["effect"], plain.table["verdict"], strict=True))
        changed = [
            f"{effect_title(data, effect)}: {verdict}"
            for effect, verdict in adjusted.table.select("effect", "verdict").iter_rows()
            if effect in verdicts and verdicts[effect] != verdict
        ]
        row |= {
            "residual_adjusted": _spread(data, RESPONSE_TIME, adjusted.residual_sd),
            "share": share_text(adjusted.share_covariates),
            "changed": "; ".join(changed) or "none",
        }
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def method_text(data: ExperimentData) -> str:
    """How the intervals of the effects on R are made."""
    fit = data.fits.get(RESPONSE_TIME)
    return texts.interval_method(None if fit is None else fit.method)
