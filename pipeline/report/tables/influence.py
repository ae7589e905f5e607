"""Influence factors of a designed experiment, as its page shows them: effects, predictions, noise, runs.

The functions take the :class:`pipeline.api.ExperimentData` of one virtual server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from pipeline.api import ExperimentData, InfluenceData
from pipeline.charts.influence_diagram import Cell, Leaf
from pipeline.charts.paper_texts import FACTORS
from pipeline.evaluate import texts as outcomes
from pipeline.evaluate.influence import COVARIATES, MISSING, RESPONSES, factor_columns
from pipeline.report import influence_texts as texts
from pipeline.units import format_number, format_percent

RESPONSE_TIME = "R_ms"
METRICS = {
    "R_ms": ("R", "resp. time"),
    "X_per_s": ("X", "throughput"),
    "D_cpu_ms": ("D_cpu", "host CPU"),
    "D_vdisk_ms": ("D_vdisk", "guest's disk"),
    "D_disk_ms": ("D_disk", "host's disk"),
}
"""Response → its symbol and a short title, for the diagram."""


OPTIONAL = (
    "p_family",
    "limit",
    "aliases",
    "note",
    "residual",
    "replicates",
    "drift",
    "share_blocks",
)
"""Columns that a table has only where a row has a value."""


# -- effects -----------------------------------------------------------------------------------------------


def leaves(data: ExperimentData) -> list[Leaf]:
    """Every factor of the study with its effects on ``METRICS``, by branch; without effects if not varied.

    Of factors that the recorded runs do not separate, the first has the effects, with the others in its title.
    """
    experiment = data.experiment
    rows = _rows_by_effect(data.effects)
    confounded = data.confounded
    first_of = {
        alias.removeprefix("-"): first for first in confounded for alias in confounded[first]
    }
    order = {name: i for i, name in enumerate(FACTORS)}
    factors = sorted(
        [*experiment.factors.values(), *experiment.constant.values()],
        key=lambda factor: order.get(factor.branch or "", len(order)),
    )
    result = []
    for factor in factors:
        cells: tuple[Cell, ...] = ()
        title, note = factor.title, ""
        if factor.name in first_of:
            note = texts.not_separated(experiment.factors[first_of[factor.name]].title)
        elif factor.name in experiment.factors:
            cells = tuple(_cell(rows.get((factor.name, name))) for name in METRICS)
            note = " ".join(
                f"or {_opposed(data, each)}" for each in confounded.get(factor.name, ())
            )
        else:
            note = texts.NOT_VARIED
        result.append(Leaf(factor.branch, title, _levels(data, factor.name), cells, note))
    return result


def _rows_by_effect(effects: pl.DataFrame) -> dict[tuple[str, str], dict]:
    return {(row["effect"], row["response"]): row for row in effects.iter_rows(named=True)}


def _cell(row: Mapping | None) -> Cell:
    if row is None:
        return Cell(None, None, None, True, None)
    return Cell(row["value"], row["low"], row["high"], row["is_ratio"], row["verdict"])


def _levels(data: ExperimentData, factor: str) -> str:
    """``1 CPU → 0.5 CPU``; with ``-`` before the factor the other way round."""
    name = factor.removeprefix("-")
    each = {**data.experiment.factors, **data.experiment.constant}[name]
    low, high = (-1, 1) if name == factor else (1, -1)
    return f"{each.level_text(low)} → {each.level_text(high)}"


def _opposed(data: ExperimentData, effect: str) -> str:
    """A factor that is not separated from another one, with its levels: ``Arrivals: poisson → even``."""
    return f"{data.experiment.factors[effect.removeprefix('-')].title}: {_levels(data, effect)}"


def effect_title(data: ExperimentData, effect: str) -> str:
    """``CPU quota``, ``CPU quota × Load``; with ``-`` before an alias of the opposite sign."""
    names = effect.removeprefix("-").split(":")
    title = " × ".join(data.experiment.factors[name].title for name in names)
    return f"−({title})" if effect.startswith("-") else title


def factor_title(data: ExperimentData, effect: str) -> str:
    """The title of an effect with the factors that it is not separated from: ``CPU quota or Arrivals``."""
    others = [
        data.experiment.factors[each.removeprefix("-")].title
        for each in data.confounded.get(effect, ())
    ]
    return " or ".join([effect_title(data, effect), *others])


def df_effects(data: ExperimentData, responses: tuple[str, ...] = tuple(RESPONSES)) -> pl.DataFrame:
    """The effect of every factor on some responses, the largest first, by response.

    Columns: ``response``, ``factor``, ``levels``, ``effect`` (ratio, or difference with its unit), ``low``, ``high``,
    ``share`` (percent of the variation), ``p_family``, ``verdict``, ``limit`` (of effects within noise: the largest
    change that the interval contains).
    """
    rows = []
    for row in _sorted(data, responses, interactions=False):
        unit = RESPONSES[row["response"]].unit
        is_within = row["verdict"] == outcomes.WITHIN_NOISE
        rows.append(
            {
                "response": RESPONSES[row["response"]].symbol,
                "factor": factor_title(data, row["effect"]),
                "levels": " or ".join(
                    _levels(data, name)
                    for name in (row["effect"], *data.confounded.get(row["effect"], ()))
                ),
                **_effect_texts(row, unit),
                "share": share_text(row["share"]),
                "p_family": _p_text(row["p_family"]),
                "verdict": row["verdict"],
                "limit": _limit_text(row["limit"]) if is_within else None,
            }
        )
    return texts_frame(rows, "factor response levels effect interval share p_family verdict limit")


def texts_frame(rows: list[dict], columns: str) -> pl.DataFrame:
    """A frame of texts with these columns, also without rows; of ``OPTIONAL`` those with a value."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns.split(), pl.String), orient="row")
    empty = [s.name for s in frame if s.name in OPTIONAL and s.null_count() == frame.height]
    return frame.drop(empty)


def _sorted(
    data: ExperimentData, responses: tuple[str, ...], *, interactions: bool
) -> Iterator[dict]:
    """Rows of ``EFFECTS``, responses in their order, the largest share first."""
    is_main = pl.col("factors").list.len() == 1
    chosen = data.effects.filter(~is_main if interactions else is_main)
    for response in responses:
        of_response = chosen.filter(response=response)
        yield from of_response.sort("share", descending=True, nulls_last=True).iter_rows(named=True)


def _effect_texts(row: Mapping, unit: str) -> dict[str, str]:
    value, low, high = row["value"], row["low"], row["high"]
    if row["is_ratio"]:
        return {"effect": f"×{format_number(value)}", "interval": _span(low, high)}
    return {"effect": f"{format_number(value)} {unit}", "interval": _span(low, high)}


def _limit_text(limit: float | None) -> str | None:
    """A relative change as text; one that more than doubles is no limit."""
    if limit is not None and limit > 1:
        return "> 100 %"
    return format_percent(limit, sign=False)


def _span(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "–"
    return f"{format_number(low)} to {format_number(high)}"


def share_text(share: float | None) -> str | None:
    """A share in percent, with one decimal."""
    return None if share is None else f"{100 * share:.1f} %"


def _p_text(p: float | None) -> str | None:
    if p is None:
        return None
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def df_interactions(data: ExperimentData) -> pl.DataFrame:
    """Interactions that are not within noise, the largest first, with their aliases.

    Columns: ``response``, ``interaction``, ``aliases``, ``effect``, ``interval``, ``share``, ``p_family``, ``verdict``.
    """
    rows = [
        {
            "response": RESPONSES[row["response"]].symbol,
            "interaction": effect_title(data, row["effect"]),
            **_effect_texts(row, RESPONSES[row["response"]].unit),
            "share": share_text(row["share"]),
            "p_family": _p_text(row["p_family"]),
            "verdict": row["verdict"],
            "aliases": "; ".join(effect_title(data, alias) for alias in row["aliases"]) or None,
        }
        for row in _sorted(data, tuple(RESPONSES), interactions=True)
        if row["verdict"] in (outcomes.BEYOND_NOISE, outcomes.INCONCLUSIVE)
    ]
    return texts_frame(rows, "interaction response effect interval share p_family verdict aliases")


def interactions_text(data: ExperimentData) -> str:
    """How many interactions were estimated, and how many are beyond noise."""
    table = data.effects.filter(pl.col("factors").list.len() > 1).drop_nulls("value")
    beyond = table.filter(verdict=outcomes.BEYOND_NOISE).height
    return texts.interactions(table["effect"].n_unique(), table.height, beyond)


# -- the host model ------------------------------------------------------------------------------------------


def df_model(data: ExperimentData, *, interactions: bool = False) -> pl.DataFrame:
    """Effects measured and predicted.

    Columns: ``response``, ``factor``, ``measured``, ``interval``, ``predicted`` (common demands), ``predicted_own``
    (each run's own), ``unexplained`` and ``unexplained_own`` (measured over predicted, with their intervals),
    ``outcome``.
    """
    rows = []
    for row in data.compared.iter_rows(named=True):
        if (":" in row["effect"]) != interactions:
            continue
        if interactions and row["outcome"] == outcomes.WITHIN_NOISE:
            continue
        rows.append(
            {
                "response": RESPONSES[row["response"]].symbol,
                "factor": factor_title(data, row["effect"]),
                "measured": _value(row, "measured"),
                "interval": _span(row["low"], row["high"]),
                "predicted": _value(row, "predicted"),
                "unexplained": _with_span(row, "unexplained"),
                "predicted_own": _value(row, "predicted_own"),
                "unexplained_own": _with_span(row, "unexplained_own"),
                "outcome": row["outcome"],
            }
        )
    return texts_frame(
        rows,
        "factor response measured interval predicted unexplained predicted_own unexplained_own outcome",
    )


def _value(row: Mapping, name: str) -> str | None:
    if row[name] is None:
        return None
    return f"×{format_number(row[name])}" if row["is_ratio"] else format_number(row[name])


def _with_span(row: Mapping, name: str) -> str | None:
    if row[name] is None:
        return None
    return f"{_value(row, name)} ({_span(row[f'{name}_low'], row[f'{name}_high'])})"


def model_text(data: ExperimentData) -> str:
    """How many effects beyond noise the model predicts, by response time and throughput, and which it does not know."""
    compared = data.compared.filter(
        pl.col("response").is_in(["R_ms", "X_per_s"]),
        pl.col("outcome") != outcomes.SMALL,
        verdict=outcomes.BEYOND_NOISE,
    )
    unknown = [
        f"{factor_title(data, row['effect'])} on {RESPONSES[row['response']].symbol}"
        for row in compared.filter(outcome=outcomes.NOT_IN_MODEL).iter_rows(named=True)
    ]
    counts = [
        compared.filter(outcome=outcome).height
        for outcome in (outcomes.PREDICTED, outcomes.GIVEN_DEMAND)
    ]
    without = data.predicted.filter(pl.col("R_ms").is_null()).height
    return texts.model_answer(compared.height, *counts, unknown, without)


# -- runs and answers ----------------------------------------------------------------------------------------


def df_runs(data: ExperimentData) -> pl.DataFrame:
    """Every planned run in the order of recording: its levels, what it measured, and why a value is missing."""
    names = factor_columns(data.experiment)
    levels = []
    for name, column in names.items():
        by_sign = {sign: data.experiment.factors[name].level_text(sign) for sign in (-1, 1)}
        level = pl.col(column).replace_strict(by_sign, default=None, return_dtype=pl.String)
        levels.append(level.alias(column))
    frame = data.runs.select(
        pl.concat_str("server", "run", separator="/").alias("run"),
        "block",
        *levels,
        *RESPONSES,
        *COVARIATES,
        MISSING,
    )
    return frame.select(s for s in frame if s.null_count() < len(s) or s.name in RESPONSES)


RUN_HEADINGS = {
    **{name: f"{response.symbol} ({response.unit})" for name, response in RESPONSES.items()},
    "memory_latency_ns": "memory latency (ns)",
    MISSING: "why missing",
}


def df_aliases(data: ExperimentData) -> pl.DataFrame:
    """Effects that the design does not separate: ``effect``, ``aliases``, ``note`` (why it is not estimated)."""
    rows = data.effects.unique("effect", maintain_order=True).filter(
        (pl.col("aliases").list.len() > 0) | pl.col("value").is_null()
    )
    return pl.DataFrame(
        [
            {
                "effect": effect_title(data, row["effect"]),
                "aliases": "; ".join(effect_title(data, alias) for alias in row["aliases"]),
                "note": row["reason"],
            }
            for row in rows.iter_rows(named=True)
        ],
        schema={"effect": pl.String, "aliases": pl.String, "note": pl.String},
        orient="row",
    )


def headline(data: InfluenceData) -> tuple[list[str], str]:
    """The answer of the page: per experiment the factors that change R beyond noise; and the kind of the answer."""
    sentences = []
    for each in data.experiments:
        title = each.experiment.title
        if RESPONSE_TIME not in each.fits:
            reason = each.missing.get(RESPONSE_TIME) or texts.NO_RESPONSE_TIME
            sentences.append(texts.no_answer(title, reason))
            continue
        rows = list(_sorted(each, (RESPONSE_TIME,), interactions=False))
        beyond, unclear = (
            [
                f"{factor_title(each, row['effect'])} ({_effect_texts(row, 'ms')['effect']})"
                for row in rows
                if row["verdict"] == verdict
            ]
            for verdict in (outcomes.BEYOND_NOISE, outcomes.INCONCLUSIVE)
        )
        is_separated = not each.confounded
        sentences.append(texts.answer(title, beyond, unclear, len(rows), is_separated=is_separated))
    is_complete = all(each.recorded == each.runs.height for each in data.experiments)
    return sentences, "good" if is_complete else "warning"


def key_figures(data: InfluenceData) -> dict[str, str]:
    """Runs recorded, degrees of freedom, noise of R and its smallest detectable effect, for the page's head."""
    figures = {}
    for each in data.experiments:
        title = each.experiment.title
        figures[f"{title}: runs recorded"] = f"{each.recorded} of {each.runs.height}"
        figures[f"{title}: factors"] = str(len(each.experiment.factors))
        noise = {row["response"]: row for row in each.noise.iter_rows(named=True)}
        row = noise.get(RESPONSE_TIME)
        if row is None or not each.fits[RESPONSE_TIME].is_ratio:
            continue
        if row["residual"] is not None:
            figures[f"{title}: R of a run varies by"] = f"± {100 * row['residual']:.2g} %"
        if row["detectable"] is not None:
            figures[f"{title}: effects on R seen from"] = f"×{format_number(1 + row['detectable'])}"
    return figures


def warnings(data: InfluenceData) -> list[str]:
    """What is incomplete: planned runs that are not recorded, runs and responses without a value."""
    lines = []
    for each in data.experiments:
        title, planned = each.experiment.title, each.runs.height
        if each.recorded < planned:
            lines.append(texts.incomplete(title, each.recorded, planned))
        if each.confounded:
            pairs = [factor_title(each, name) for name in each.confounded]
            lines.append(texts.confounded(title, pairs))
        damaged = each.runs.filter(pl.col("is_recorded") & pl.col(MISSING).is_not_null())
        if damaged.height:
            lines.append(texts.missing_values(title, damaged.height, damaged[MISSING][0]))
        lines += [
            texts.no_effects(title, RESPONSES[name].title, reason)
            for name, reason in each.missing.items()
        ]
        constant = {factor for fit in each.fits.values() for factor in fit.constant}
        if constant:
            titles = [f.title for name, f in each.experiment.factors.items() if name in constant]
            lines.append(texts.constant_factors(title, titles))
    return lines


def df_branches(data: InfluenceData) -> pl.DataFrame:
    """The largest effect on R and on each demand of every branch of Figure 1, by virtual server.

    Columns: ``branch``, ``virtual_server``, ``response``, ``factor``, ``effect``, ``interval``, ``verdict``.
    """
    rows = []
    for each in data.experiments:
        for response in RESPONSES:
            for branch in FACTORS:
                candidates = [
                    row
                    for row in _sorted(each, (response,), interactions=False)
                    if each.experiment.factors[row["effect"]].branch == branch
                    and row["effect"] not in each.confounded
                ]
                if candidates:
                    row = candidates[0]
                    rows.append(
                        {
                            "branch": branch,
                            "virtual_server": each.experiment.title,
                            "response": RESPONSES[response].symbol,
                            "factor": effect_title(each, row["effect"]),
                            **_effect_texts(row, RESPONSES[response].unit),
                            "verdict": row["verdict"],
                        }
                    )
    return texts_frame(rows, "branch virtual_server response factor effect interval verdict")
