"""Learned predictors beside the queueing model, as a page shows them.

The functions take a :class:`pipeline.evaluate.learned_scores.PredictorComparison`.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipeline.evaluate.learned_scores import PredictorComparison, replication_error
from pipeline.evaluate.learning_curves import summarize_curves
from pipeline.evaluate.texts import FEATURES
from pipeline.report import learned_texts as texts


def headline(data: PredictorComparison) -> tuple[list[str], str]:
    """The answer of the page: who has the lowest error in which setting; and the kind of the answer."""
    pooled = _pooled(data.winners)
    if pooled.is_empty():
        return [texts.NOTHING_SCORED], "warning"
    other = []
    settings: dict[str, list[str]] = {}
    for row in pooled.iter_rows(named=True):
        text = texts.setting_with_errors(
            row["setting"],
            row["best"],
            texts.percent(row["best_error"]),
            row["next"],
            texts.percent(row["next_error"]),
        )
        if row["is_significant"]:
            settings.setdefault(row["best"], []).append(text)
        else:
            other.append(text)
    sentences = [texts.beyond_chance(best, names) for best, names in settings.items()]
    if other:
        sentences.append(texts.not_beyond_chance(other))
    return sentences, "good" if data.learned else "warning"


def key_figures(data: PredictorComparison) -> dict[str, str]:
    """The two lowest median errors of R in each setting, with their 95 % intervals."""
    scores = {(row["setting"], row["predictor"]): row for row in _pooled(data.scores).to_dicts()}
    return {
        f"{row['setting']}: {row[name]}": _interval(
            scores[row["setting"], row[name]], "median_R"
        ).replace(" %", "\N{NO-BREAK SPACE}%")
        for row in _pooled(data.winners).to_dicts()
        for name in ("best", "next")
    }


def df_winners(data: PredictorComparison, titles: Mapping[str, str] | None = None) -> pl.DataFrame:
    """Who has the lowest median error of R in each setting.

    Columns ``setting``, ``loads``, ``runs``, ``best`` and ``next`` (predictor and its error), ``difference`` (with its
    95 % interval), ``verdict``. With ``titles``, the virtual servers' display names, one row for each of them, and
    ``virtual_server``.
    """
    each = data.winners.filter(pl.col("virtual_server").is_not_null())
    rows = [
        {
            "setting": row["setting"],
            **({} if titles is None else {"virtual_server": titles[row["virtual_server"]]}),
            "loads": row["loads"],
            "runs": row["runs"],
            "best": f"{row['best']}: {texts.percent(row['best_error'])}",
            "next": f"{row['next']}: {texts.percent(row['next_error'])}",
            "difference": texts.points(row["difference"], row["low"], row["high"]),
            "verdict": texts.verdict(row["is_significant"]),
        }
        for row in (_pooled(data.winners) if titles is None else each).to_dicts()
    ]
    return pl.DataFrame(rows)


def settings(data: PredictorComparison) -> list[str]:
    """The settings with a score."""
    return data.scores["setting"].unique(maintain_order=True).to_list()


def df_scores(data: PredictorComparison, setting: str) -> pl.DataFrame:
    """Errors of R of every predictor in a setting, over all virtual servers, with 95 % intervals.

    Columns ``predictor``, ``median_R``, ``p90_R``, ``median_R_of_runs``, ``p90_R_of_runs``, and with neural nets
    ``seeds``, the range of the median over the seeds.
    """
    rows = [
        {
            "predictor": row["predictor"],
            "median_R": _interval(row, "median_R"),
            "p90_R": _interval(row, "p90_R"),
            "seeds": None
            if row["lowest_seed"] is None
            else texts.span(row["lowest_seed"], row["highest_seed"]),
            "median_R_of_runs": texts.percent(row["median_R_of_runs"]),
            "p90_R_of_runs": texts.percent(row["p90_R_of_runs"]),
        }
        for row in _pooled(data.scores).filter(setting=setting).to_dicts()
    ]
    frame = pl.DataFrame(rows, schema_overrides={"seeds": pl.String})
    return frame if data.learned else frame.drop("seeds")


def df_throughput_scores(data: PredictorComparison) -> pl.DataFrame:
    """Errors of X of closed loads, with 95 % intervals: ``setting``, ``predictor``, ``median_X``, ``p90_X``.

    Without a row where the study has no closed load.
    """
    rows = [
        {
            "setting": row["setting"],
            "predictor": row["predictor"],
            "median_X": _interval(row, "median_X"),
            "p90_X": _interval(row, "p90_X"),
        }
        for row in _pooled(data.scores).drop_nulls("median_X").to_dicts()
    ]
    return pl.DataFrame(rows)


def df_errors(data: PredictorComparison) -> pl.DataFrame:
    """Median errors of R for ``charts.predictor_errors``: percent, with 95 % intervals.

    Columns ``setting``, ``predictor``, ``error``, ``low``, ``high``.
    """
    return _pooled(data.scores).select(
        "setting",
        "predictor",
        error=pl.col("median_R") * 100,
        low=pl.col("median_R_low") * 100,
        high=pl.col("median_R_high") * 100,
    )


def df_curves(data: PredictorComparison, titles: Mapping[str, str]) -> pl.DataFrame:
    """Median errors of R by training runs for ``charts.learning_curves``: percent, with the range over subsets.

    Columns ``panel`` (virtual server and what is predicted), ``training_runs``, ``predictor``, ``subsets``, ``error``,
    ``low``, ``high``.
    """
    name = pl.col("virtual_server").replace(titles)
    return summarize_curves(data.curves).select(
        panel=pl.concat_str(name, pl.lit(": "), "task"),
        training_runs="training_runs",
        predictor="predictor",
        subsets="subsets",
        error=pl.col("error") * 100,
        low=pl.col("low") * 100,
        high=pl.col("high") * 100,
    )


def df_loads(data: PredictorComparison, titles: Mapping[str, str]) -> pl.DataFrame:
    """R of each load, measured and by every predictor, milliseconds: one column per predictor."""
    return data.loads.with_columns(pl.col("virtual_server").replace(titles)).pivot(
        on="predictor",
        index=["setting", "server", "virtual_server", "load", "runs", "R_measured_ms"],
        values="R_ms",
        maintain_order=True,
    )


def df_features() -> pl.DataFrame:
    """The features of the learned predictors: columns ``feature`` and ``what it is``."""
    return pl.DataFrame({"feature": list(FEATURES), "what it is": list(FEATURES.values())})


def df_published() -> pl.DataFrame:
    """What Kundu et al. print: columns ``source``, ``predictor``, ``median``, ``p90``."""
    names = ("source", "predictor", "median", "p90")
    return pl.DataFrame(texts.PUBLISHED, schema=names, orient="row")


def variation_text(data: PredictorComparison, saturated: list[str]) -> list[str]:
    """How much runs of a load vary, and which loads have no steady state: sentences."""
    error = replication_error(data.predicted.loads)
    sentences = [] if error is None else [texts.replication(error)]
    return [*sentences, *([texts.not_scored(saturated)] if saturated else [])]


def _interval(row: dict, name: str) -> str:
    return texts.with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _pooled(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows over all virtual servers."""
    return frame.filter(pl.col("virtual_server").is_null())
