"""Is the model true? A study's predictions and budgets as its page shows them; nothing shown yet.

``open_validation`` observes every run of a study; the functions here take what it gives, and so do those of
:mod:`pipeline.report.frames.validation_demands`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline import bundle, ingest
from pipeline.bundle import Study
from pipeline.charts import percent, short
from pipeline.measure.window import Unmeasured
from pipeline.places import project_path
from pipeline.report.frames.run import named_study
from pipeline.validate.across import across, together
from pipeline.validate.averages import judged_by_average
from pipeline.validate.budget import budgets, by_load
from pipeline.validate.if_true import judged_if_true
from pipeline.validate.observation import Observation, observe_study
from pipeline.validate.prediction import ablation, groups, predictions, summary
from pipeline.validate.replicates import typical_interval, typical_of
from pipeline.validate.rivals import LINE, OURS, OURS_CALIBRATED, PREDICTORS
from pipeline.validate.verdict import (
    ACCOUNTED,
    BEYOND,
    MISSED,
    MOST_UTILIZATION,
    NEAR,
    VERDICTS,
    judge,
)

SHARE = ("explained", "explained_low", "explained_high")
HELD_OUT = pl.Schema(
    {
        "server": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "judged": pl.String,
        "by the mean": pl.String,
        "X measured": pl.Float64,
        "X model": pl.Float64,
        "error X": pl.String,
        "R measured": pl.Float64,
        "R, 95 %": pl.String,
        "R model": pl.Float64,
        "error R": pl.String,
        "explained": pl.String,
        "line R": pl.String,
    }
)
"""A load held out: X in requests a second, R in ms, of the typical run (geometric mean), and where that lies by what
runs differ by; the verdict by it, and by the mean over the runs; the error of the straight line; how much the budget
explains, with where that lies by how sure the runs' demands are."""


HELD_OUT_HEADINGS = {
    "virtual_server": "guest",
    "X measured": "X",
    "error X": "error",
    "R measured": "R",
    "R, 95 %": "95 %",
    "R model": "model",
    "error R": "error",
    "explained": "share",
    "line R": "line",
}
"""Short ones: a table that is wider than the page is scrolled."""
BUDGET_HEADINGS = {
    "virtual_server": "guest",
    "predicted_ms": "predicted",
    "arrivals_ms": "arrivals",
    "cpu_demand_ms": "CPU",
    "disk_demand_ms": "disks",
    "surroundings_ms": "others",
    "course_ms": "course",
    "unexplained_ms": "rest",
    "unexplained_error_ms": "±",
    "measured_ms": "measured",
    "miss_ms": "miss",
}


@dataclass(frozen=True)
class Validation:
    """A study with all that its runs say, computed when first asked for."""

    study: Study
    processed: Path
    observations: list[Observation] = field(repr=False)
    lost: dict[str, str]

    @cached_property
    def predictions(self) -> pl.DataFrame:
        """Form ``validate.prediction.PREDICTIONS``."""
        return predictions(self.observations)

    @cached_property
    def budgets(self) -> pl.DataFrame:
        """Form ``validate.budget.BUDGET``."""
        return budgets(self.observations)

    @cached_property
    def beside(self) -> pl.DataFrame:
        """Form ``validate.across.TOGETHER``."""
        return together(self.observations)

    @cached_property
    def by_average(self) -> pl.DataFrame:
        """Form ``validate.averages.BY_AVERAGE``."""
        ours = self.predictions.filter(
            (pl.col("kind") == "open") & (pl.col("predictor") == OURS_CALIBRATED)
        )
        utilizations = {
            (row["server"], row["virtual_server"], row["load"]): row["utilization"]
            for row in ours.iter_rows(named=True)
        }
        return judged_by_average(self.observations, self.budgets, utilizations)

    @property
    def places(self) -> list[tuple[str, str]]:
        """Server and virtual server, of those that were loaded alone."""
        return [(group.server, group.virtual_server) for group in groups(self.observations)]


def open_validation(
    study: str,
    *,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
    draws: int = 300,
) -> Validation:
    """A study, all its runs ingested and observed. ``bundle.BundleError`` if there is no such study."""
    raw, processed = project_path(raw), project_path(processed)
    known = named_study(study, raw)
    ingest.ensure(known.runs(), processed)
    found, lost = observe_study(known, processed, draws=draws)
    if not groups(found):
        raise bundle.BundleError(f"no run of {study} has a load that could be observed", raw)
    return Validation(known, Path(processed), found, lost)


def place_words(data: Validation, place: tuple[str, str]) -> str:
    """``web server of the first server``."""
    return f"{data.study.title_of(place[1])} of the {place[0]} server"


def df_predicted(data: Validation, place: tuple[str, str], quantity: str) -> pl.DataFrame:
    """What was measured and what predictors say over the load, for ``charts.predictions``; R in ms, or X.

    Columns: ``who``, ``size``, ``value``, ``low``, ``high``, ``fitted``. Evenly spaced arrivals where there are some.
    """
    mine = _of(data.predictions, place)
    evenly = mine.filter(pl.col("load").str.ends_with("even"))
    mine = mine if evenly.is_empty() else evenly
    value, measured = (f"{quantity}_ms", f"{quantity}_measured_ms") if quantity == "R" else (
        f"{quantity}_per_s", f"{quantity}_measured_per_s"
    )  # fmt: skip
    unit = value.removeprefix(quantity)
    ours = [OURS_CALIBRATED] if OURS_CALIBRATED in mine["predictor"].to_list() else [OURS]
    names = [
        *ours,
        LINE,
        *[p.name for p in PREDICTORS if p.name not in (OURS, OURS_CALIBRATED, LINE)],
    ]
    told = mine.filter(pl.col("predictor").is_in(names)).select(
        pl.col("predictor").alias("who"), "size", pl.col(value).alias("value"),
        pl.col(f"{quantity}_low{unit}").alias("low"), pl.col(f"{quantity}_high{unit}").alias("high"),
        fitted=~pl.col("held_out"),
    )  # fmt: skip
    real = mine.unique("load", maintain_order=True).select(
        who=pl.lit("measured"), size="size", value=measured,
        low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64), fitted=~pl.col("held_out"),
    )  # fmt: skip
    rank = pl.col("who").replace_strict(
        {name: i for i, name in enumerate(["measured", *names])}, default=99
    )
    return pl.concat([real, told.select(real.columns)]).sort(rank, "size")


def df_held_out(data: Validation) -> pl.DataFrame:
    """Every load held out, form ``HELD_OUT``: what our model said, what came, and whether that is near enough.

    For open loads the calibrated model, for closed ones the one from the logs alone.
    """
    best = data.predictions.filter(
        pl.col("held_out")
        & (
            ((pl.col("kind") == "open") & (pl.col("predictor") == OURS_CALIBRATED))
            | ((pl.col("kind") == "closed") & (pl.col("predictor") == OURS))
        )
    )
    keys = ["server", "virtual_server", "load"]
    line = data.predictions.filter(pl.col("predictor") == LINE).select(*keys, line_R="error_R")
    beside = _beside(data)
    alone = data.budgets.join(beside.explode("run"), on=["server", "run"], how="anti")
    explained = by_load(alone).select(*keys, *SHARE)
    mean = {
        (row["server"], row["virtual_server"], row["load"], row["alone"]): row["judged"]
        for row in data.by_average.filter(average="mean").iter_rows(named=True)
    }
    rows = [
        _held_row(
            row, row["load"], row, row["line_R"], mean.get((*(row[key] for key in keys), True))
        )
        for row in best.join(line, on=keys)
        .join(explained, on=keys, how="left")
        .iter_rows(named=True)
    ]
    for row in beside.iter_rows(named=True):
        mine = data.budgets.filter(
            pl.col("run").is_in(row["run"])
            & (pl.col("server") == row["server"])
            & (pl.col("virtual_server") == row["virtual_server"])
        )
        low, high = typical_interval(row["times"]) or (None, None)
        sure = {"R_measured_low_ms": low, "R_measured_high_ms": high, "utilization": None}
        share = by_load(mine).row(0, named=True)
        by_mean = mean.get((*(row[key] for key in keys), False))
        rows.append(_held_row(row | sure, f"{row['load']}, both", share, None, by_mean))
    return pl.DataFrame(rows, schema=HELD_OUT, orient="row")


def _beside(data: Validation) -> pl.DataFrame:
    """The runs held out in which several virtual servers were loaded, the repetitions of a load in one row."""
    averaged = ("X_measured_per_s", "X_per_s", "R_measured_ms", "R_ms")
    return (
        data.beside.filter("held_out")
        .group_by("server", "virtual_server", "kind", "load", maintain_order=True)
        .agg(
            "run",
            *(typical_of(pl.col(name)) for name in averaged),
            pl.col("R_measured_ms").alias("times"),
        )
        .with_columns(
            error_X=pl.col("X_per_s") / pl.col("X_measured_per_s") - 1,
            error_R=pl.col("R_ms") / pl.col("R_measured_ms") - 1,
        )
        .sort("server", maintain_order=True)
    )


def _held_row(row: dict, load: str, share: dict, line: float | None, by_mean: str | None) -> dict:
    judged = judge(
        row["kind"], row["utilization"], row["error_X"], row["error_R"], share["explained"]
    )
    return {
        "server": row["server"],
        "virtual_server": row["virtual_server"],
        "load": load,
        "X measured": row["X_measured_per_s"],
        "X model": row["X_per_s"],
        "error X": percent(row["error_X"]),
        "R measured": row["R_measured_ms"],
        "R, 95 %": _span(row["R_measured_low_ms"], row["R_measured_high_ms"]),
        "R model": row["R_ms"],
        "error R": percent(row["error_R"]),
        "explained": _share(*(share[name] for name in SHARE)),
        "line R": percent(line),
        "judged": judged,
        "by the mean": by_mean or judged,  # without a bound it is the same by any average
    }


def df_if_true(data: Validation, studies: int, seed: int = 0) -> pl.DataFrame:
    """How often each load held out, of one virtual server, would be judged what if the model were true.

    ``studies`` are drawn (form ``validate.if_true.IF_TRUE``, a row a study and load); ``if_true_words`` sums them up.
    """
    return judged_if_true(data.observations, studies, seed=seed)


def df_if_true_by_load(drawn: pl.DataFrame, held_out: pl.DataFrame) -> pl.DataFrame:
    """The verdicts on each load, in percent of the drawn studies, beside the recorded one's; a true model's error of R.

    Its median over the studies, against a load's typical run and against the mean over its runs.
    """
    keys = ["server", "virtual_server", "load"]
    shares = drawn.group_by(keys, maintain_order=True).agg(
        *(
            ((pl.col("judged") == judged).mean() * 100).round().cast(pl.Int64).alias(judged)
            for judged in VERDICTS
        ),
        *(
            pl.col(name).median().alias(title)
            for name, title in (("error_R", "error"), ("error_R_mean", "of the mean"))
        ),
    )
    shares = shares.with_columns(_percents(name, name) for name in ("error", "of the mean"))
    return shares.join(held_out.select(*keys, pl.col("judged").alias("here")), on=keys, how="left")


def if_true_words(drawn: pl.DataFrame, held_out: pl.DataFrame) -> str:
    """What a true model would miss in a study like this one, and what ours missed."""
    if drawn.is_empty():
        return "The runs fitted to are too few to say what runs differ by: no study can be drawn."
    keys = ["server", "virtual_server", "load"]
    missed = drawn.group_by("study").agg((pl.col("judged") == MISSED).sum())["judged"]
    here = held_out.join(drawn.select(keys).unique(), on=keys, how="semi")["judged"]
    inside = [judged for judged in here if judged != BEYOND]
    return (
        f"If the model were true, {short(float(missed.mean()), 2)} of these {len(inside)} loads would be missed on the "
        f"average of {len(missed)} drawn studies, and none in {percent(float((missed == 0).mean()), sign=False)} of "
        f"them; here it is {inside.count(MISSED)}."
    )


def df_averages(data: Validation) -> pl.DataFrame:
    """How many loads are judged what, by the average that is taken over a load's runs, and which are missed."""
    missed = pl.col("judged") == MISSED
    words = pl.concat_str("server", "virtual_server", "load", separator=" ")
    both = pl.when("alone").then(pl.lit("")).otherwise(pl.lit(", both"))
    return data.by_average.group_by("average", maintain_order=True).agg(
        *((pl.col("judged") == verdict).sum().alias(verdict) for verdict in VERDICTS),
        pl.concat_str(words, both).filter(missed).str.join("; ").alias("which"),
    )


def df_summary(data: Validation) -> pl.DataFrame:
    """Mean errors of every predictor over the loads held out, up to 90 % of saturation."""
    frame = summary(data.predictions, MOST_UTILIZATION)
    return frame.select(
        "server",
        "virtual_server",
        "predictor",
        "label",
        "loads",
        _percents("mean_abs_error_X", "error of X", sign=False),
        _percents("mean_abs_error_R", "error of R", sign=False),
        _percents("worst_error_R", "worst of R", sign=False),
        "unbounded",
    )


def loses_to_line(data: Validation) -> list[str]:
    """A sentence for each virtual server whose best own prediction of R is worse than the straight line's."""
    said = []
    frame = summary(data.predictions, MOST_UTILIZATION)
    for server, name in data.places:
        mine = frame.filter((pl.col("server") == server) & (pl.col("virtual_server") == name))
        errors = dict(zip(mine["predictor"], mine["mean_abs_error_R"], strict=True))
        ours = errors.get(OURS_CALIBRATED, errors.get(OURS))
        if ours is not None and errors.get(LINE) is not None and ours > errors[LINE]:
            said.append(
                f"The straight line wins for the {place_words(data, (server, name))}: its mean error of R over the "
                f"loads held out is {percent(errors[LINE], sign=False)}, our model's {percent(ours, sign=False)}."
            )
    return said


def df_ablation(data: Validation) -> pl.DataFrame:
    """What each correction is worth, as percentages."""
    frame = ablation(data.observations, MOST_UTILIZATION)
    return frame.select(
        "server",
        "virtual_server",
        "model",
        "loads",
        _percents("error_X", "error of X", sign=False),
        _percents("error_R", "error of R", sign=False),
        _percents("error_R_own", "with the run's own demands", sign=False),
        "unbounded",
    )


def df_budget(data: Validation) -> pl.DataFrame:
    """The budget of every run held out (ms)."""
    return data.budgets.drop("load").with_columns(_percents("explained", "explained", sign=False))


def df_across(data: Validation) -> pl.DataFrame:
    """The weaker servers predicted from the first by their envelopes; no rows with one server."""
    servers = data.study.servers
    frames = []
    for target in servers[1:]:
        try:
            frames.append(across(data.observations, data.study, servers[0], target))
        except Unmeasured:
            continue
    if not frames:
        return pl.DataFrame()
    return pl.concat(frames).with_columns(
        *(_percents(name, name) for name in ("error_X", "error_R"))
    )


def df_together(data: Validation) -> pl.DataFrame:
    """Runs with several loads, predicted from runs with one, and with what company does (X in 1/s, R in ms)."""
    return data.beside.select(
        "server",
        "run",
        pl.when("held_out").then(pl.lit("held out")).otherwise(pl.lit("fitted to")).alias("used"),
        "virtual_server",
        "load",
        pl.col("R_measured_ms").alias("R measured"),
        pl.col("R_alone_ms").alias("R from runs with one load"),
        _percents("error_R_alone", "error"),
        pl.col("R_ms").alias("R with company"),
        _percents("error_R", "error with company"),
        pl.col("demand_moved").alias("CPU demand, times"),
    )


def validation_headlines(held_out: pl.DataFrame) -> dict[str, str]:
    """Loads held out, and how they were judged by the typical run and by the mean, for the page's head."""
    inside = held_out.filter(pl.col("judged") != BEYOND)
    judged, by_mean = inside["judged"].to_list(), inside["by the mean"].to_list()
    return {
        "loads held out": str(len(held_out)),
        "near enough": f"{judged.count(NEAR)} of {len(judged)}",
        "missed, but explained": str(judged.count(ACCOUNTED)),
        "missed": str(judged.count(MISSED)),
        "missed by the mean": str(by_mean.count(MISSED)),
    }


def _of(frame: pl.DataFrame, place: tuple[str, str]) -> pl.DataFrame:
    return frame.filter((pl.col("server") == place[0]) & (pl.col("virtual_server") == place[1]))


def _span(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{short(low)}–{short(high)}"


def _share(value: float | None, low: float | None, high: float | None) -> str | None:
    told = percent(value, sign=False)
    if told is None or low is None or high is None:
        return told
    return f"{told} ({100 * low:.0f}–{100 * high:.0f})"


def _percents(name: str, title: str, *, sign: bool = True) -> pl.Expr:
    return pl.col(name).map_elements(lambda x: percent(x, sign=sign), pl.String).alias(title)
