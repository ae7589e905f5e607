"""The page *Published studies*: verdicts on measurements and models of other authors, and their frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline.evaluate import published_studies as studies
from pipeline.evaluate import texts as outcomes
from pipeline.evaluate.acceptance import MAX_UTILIZATION
from pipeline.evaluate.demand_and_rate import published_demand_and_rate
from pipeline.evaluate.missing_station import (
    StationFit,
    StationVerdict,
    fit_station,
    judge_stations,
    predict_cpu_model,
)
from pipeline.report import study_texts as texts
from pipeline.units import format_number, format_percent, format_short

MAX_FITTED_THREADS = 110
"""Threads up to which the station is fitted to predict the throughput beyond."""


@dataclass(frozen=True)
class PublishedStudies:
    """What the page shows, computed when it is first used."""

    raw: Path | str

    @cached_property
    def mysql(self) -> dict[str, pl.DataFrame]:
        """Platform → its levels, with the errors of X of the two models of the CPU."""
        frame = studies.read_mysql(self.raw)
        levels = {}
        for name in studies.PLATFORMS:
            rows = frame.filter(platform=name)
            constant, rising = (
                predict_cpu_model(rows, studies.PROCESSORS, load_dependent=flag)
                for flag in (False, True)
            )
            levels[name] = rows.with_columns(
                X_constant_per_s=constant["X_model_per_s"],
                X_rising_per_s=rising["X_model_per_s"],
                error_constant=constant["error_X"],
                error_rising=rising["error_X"],
            )
        return levels

    @cached_property
    def verdicts(self) -> dict[str, StationVerdict]:
        """Platform → the verdict."""
        return {name: judge_stations(rows, studies.PROCESSORS) for name, rows in self.mysql.items()}

    @cached_property
    def extrapolation_error(self) -> float:
        """Largest error of X under KVM beyond ``MAX_FITTED_THREADS``, by the station fitted up to it."""
        fitted = pl.col("population") <= MAX_FITTED_THREADS
        low, high = self.mysql["kvm"].filter(fitted), self.mysql["kvm"].filter(~fitted)
        fit = fit_station(*(low[name] for name in ("population", "X_per_s", "X_sd_per_s")))
        return float((fit.predict(high["population"]) / high["X_per_s"] - 1).abs().max())

    @cached_property
    def open_models(self) -> pl.DataFrame:
        """The printed M/M/1 and M/M/m models."""
        return studies.check_open_models(self.raw)

    @cached_property
    def closed_model(self) -> pl.DataFrame:
        """The printed closed network."""
        return studies.check_closed_model(self.raw)

    @cached_property
    def consolidation(self) -> pl.DataFrame:
        """One against three guests on a host."""
        return studies.compare_consolidation(self.raw).drop("ideal_time_s", "source")

    @cached_property
    def factors(self) -> pl.DataFrame:
        """Performance relative to the bare machine."""
        return studies.compare_platforms(self.raw)


# -- answers -----------------------------------------------------------------------------------------------


def headline(data: PublishedStudies) -> list[str]:
    """The three verdicts."""
    verdict = data.verdicts["kvm"]
    if verdict.outcome == outcomes.STATION_MISSING:
        fit = verdict.station
        kvm = texts.kvm_answer(
            float(verdict.cpu_model["error_X"].max()),
            *(x * 1e3 for x in (fit.demand_s, fit.demand_low_s, fit.demand_high_s)),
        )
    else:
        kvm = texts.outcome_answer("MySQL under KVM", verdict.outcome)
    native = data.mysql["native"]
    if data.verdicts["native"].outcome == outcomes.CPU_LIMITS:
        saturated = native.filter(pl.col("busy") > MAX_UTILIZATION)
        bare = texts.native_answer(
            studies.demand_rise(native)[0],
            float(native["error_rising"].max()),
            float(saturated["error_rising"].abs().max()),
            int(saturated["population"].min()),
        )
    else:
        bare = texts.outcome_answer("MySQL on the bare machine", data.verdicts["native"].outcome)
    wrong, count, errors = _printed_counts(data)
    return [kvm, bare, texts.printed_answer(wrong, count, errors.min(), errors.max())]


def _printed_counts(data: PublishedStudies) -> tuple[int, int, pl.Series]:
    """Wrong values, all values, and the errors of the modelled response times."""
    agrees = pl.concat([data.open_models["agrees"], data.closed_model["agrees"]])
    return int((~agrees).sum()), len(agrees), data.open_models["error"].drop_nulls()


def key_figures(data: PublishedStudies) -> dict[str, str]:
    """The numbers behind the verdicts."""
    kvm, native = data.mysql["kvm"], data.mysql["native"]
    figures = {}
    fit = data.verdicts["kvm"].station
    if fit is not None:
        low, high = (format_number(x * 1e3) for x in (fit.demand_low_s, fit.demand_high_s))
        figures["MySQL under KVM: limiting station, 290 threads (95 %)"] = (
            f"{format_number(fit.demand_s * 1e3)} ms ({low} to {high})"
        )
    rise, low, high = studies.demand_rise(native)
    saturated = native.filter(pl.col("busy") > MAX_UTILIZATION)
    wrong, count, errors = _printed_counts(data)
    ratios = data.factors.filter(platform="kvm")["ratio"]
    return figures | {
        "MySQL under KVM: error of X, CPU alone": f"up to {format_percent(kvm['error_constant'].max())}",
        "MySQL under KVM: CPU utilization, 290 threads": format_percent(
            kvm["busy"][-1], sign=False
        ),
        "MySQL, bare machine: CPU demand rises (95 %)": (
            f"{format_number(rise)} times ({format_number(low)} to {format_number(high)})"
        ),
        "MySQL, bare machine: error of X, rising demand": (
            f"up to {format_percent(native['error_rising'].max())}; "
            f"{format_percent(saturated['error_rising'].abs().max(), sign=False)} if saturated"
        ),
        "printed models: values that are wrong": f"{wrong} of {count}",
        "printed models: error of E[r]": (
            f"{format_percent(errors.min())} to {format_percent(errors.max())}"
        ),
        "KVM / native: performance, by benchmark": (
            f"{format_short(ratios.min())} to {format_short(ratios.max())}"
        ),
    }


# -- MySQL -------------------------------------------------------------------------------------------------


def df_throughput(data: PublishedStudies, platform: str) -> pl.DataFrame:
    """X over the threads, measured and modelled, for ``charts.over_population``."""
    rows = data.mysql[platform]
    series = [
        _series(rows, texts.MEASURED, rows["X_per_s"], half=rows["X_half_per_s"], is_measured=True),
        _series(rows, texts.CPU_ALONE, rows["X_constant_per_s"]),
    ]
    verdict = data.verdicts[platform]
    if verdict.station is None:
        series.append(_series(rows, texts.CPU_RISING, rows["X_rising_per_s"]))
    else:
        for name, fit in (
            (texts.SINGLE_SERVER, verdict.constant),
            (texts.RISING_RATE, verdict.station),
        ):
            series.append(_series(rows, name, pl.Series(fit.throughput)))
    return pl.concat(series)


def df_platforms(data: PublishedStudies, column: str, factor: float = 1.0) -> pl.DataFrame:
    """A column of both platforms over the threads, for ``charts.over_population``."""
    return pl.concat(
        _series(rows, texts.PLATFORMS[name], rows[column] * factor, is_measured=True)
        for name, rows in data.mysql.items()
    )


def _series(
    rows: pl.DataFrame,
    source: str,
    values: pl.Series,
    *,
    half: pl.Series | None = None,
    is_measured: bool = False,
) -> pl.DataFrame:
    """One source of a chart; ``half``: half width of its interval."""
    nothing = pl.Series([None] * rows.height, dtype=pl.Float64)
    return pl.DataFrame(
        {
            "source": [source] * rows.height,
            "is_measured": [is_measured] * rows.height,
            "population": rows["population"],
            "value": values,
            "low": nothing if half is None else values - half,
            "high": nothing if half is None else values + half,
        }
    )


def df_stations(data: PublishedStudies, platform: str) -> pl.DataFrame:
    """The limiting station by each model of it, and the bound of a station of any kind."""
    verdict = data.verdicts[platform]
    max_x = float(data.mysql[platform]["X_per_s"].max())
    fits = [(texts.RISING_RATE, verdict.station), (texts.SINGLE_SERVER, verdict.constant)]
    rows = [_station_row(name, fit) for name, fit in fits if fit is not None]
    rows.append({"model": texts.UPPER_BOUND, "high_ms": 1e3 / max_x})
    return pl.DataFrame(rows, infer_schema_length=None)


def _station_row(name: str, fit: StationFit) -> dict[str, str | float]:
    is_fitted = fit.exponent_low != fit.exponent_high
    exponent = f"{fit.exponent:.3f} ({fit.exponent_low:.3f} to {fit.exponent_high:.3f})"
    return {
        "model": name,
        "demand_ms": fit.demand_s * 1e3,
        "low_ms": fit.demand_low_s * 1e3,
        "high_ms": fit.demand_high_s * 1e3,
        "demand_of_single_ms": fit.demand_of_single_s * 1e3,
        "exponent": exponent if is_fitted else "0, assumed",
        "max_error": format_percent(fit.max_error, sign=False),
        "reduced_chi_squared": fit.chi_squared / fit.degrees_of_freedom,
    }


def df_levels(data: PublishedStudies, platform: str) -> pl.DataFrame:
    """Every level: measured, Little's law, CPU demand, errors of the models of the CPU."""
    return (
        data.mysql[platform]
        .select(list(texts.LEVELS))
        .with_columns(
            pl.col("busy", "little_error", "error_constant", "error_rising").map_elements(
                format_percent, return_dtype=pl.String
            )
        )
    )


def df_criteria(data: PublishedStudies, platform: str) -> pl.DataFrame:
    """The criteria of a verdict."""
    return data.verdicts[platform].criteria


def df_recordings() -> pl.DataFrame:
    """What would have to be recorded to find the station."""
    schema = ["to be recorded", "what it would show", "where"]
    return pl.DataFrame(texts.RECORDINGS, schema=schema, orient="row")


# -- printed models --------------------------------------------------------------------------------------------


def _quantity() -> pl.Expr:
    """The symbol with its unit."""
    unit = pl.when(pl.col("unit") == "").then(pl.lit("")).otherwise(" (" + pl.col("unit") + ")")
    return pl.col("quantity") + unit


def df_printed(data: PublishedStudies) -> pl.DataFrame:
    """Printed, computed and measured values of the models."""
    return pl.concat([data.open_models, data.closed_model]).select(
        "model",
        _quantity(),
        pl.exclude("model", "quantity", "unit", "error"),
        pl.col("error").map_elements(format_percent, return_dtype=pl.String),
    )


def df_printed_errors(data: PublishedStudies) -> pl.DataFrame:
    """Printed values that cannot be right."""
    frame = studies.list_printed_errors(data.raw)
    return frame.select("model", _quantity(), "printed", "right", "reason")


# -- influence factors ----------------------------------------------------------------------------------------


def df_factor_ratios(data: PublishedStudies, platform: str) -> pl.DataFrame:
    """Performance relative to the bare machine by benchmark, for ``charts.variants``."""
    setting = pl.when(pl.col("setting") == "").then(pl.lit("")).otherwise(", " + pl.col("setting"))
    source = (
        pl.when(pl.col("source") == "felter")
        .then(pl.lit(""))
        .otherwise(" [" + pl.col("source") + "]")
    )
    latency = (
        pl.when(pl.col("quantity") == "latency").then(pl.lit(" (latency)")).otherwise(pl.lit(""))
    )
    return (
        data.factors.filter(platform=platform)
        .select(
            variant=pl.col("benchmark") + setting + latency + source,
            value="ratio",
            low="low",
            high="high",
        )
        .sort("value", descending=True, maintain_order=True)
    )


def df_demand_and_rate(data: PublishedStudies) -> pl.DataFrame:
    """Whether MySQL's CPU demand depends on the number of threads: the demand at 290 threads over that at 10."""
    frame = published_demand_and_rate(studies.read_mysql(data.raw))
    return frame.select(
        "verdict",
        platform=pl.col("virtual_server").replace(texts.PLATFORMS),
        measured=pl.col("ratio_measured").map_elements(_growth, return_dtype=pl.String),
        by_slope=pl.col("ratio").map_elements(_growth, return_dtype=pl.String),
        interval=pl.struct("low", "high").map_elements(
            lambda ends: f"{_growth(ends['low'])} to {_growth(ends['high'])}",
            return_dtype=pl.String,
        ),
    ).select("platform", "measured", "by_slope", "interval", "verdict")


def _growth(ratio: float) -> str | None:
    return format_percent(ratio - 1)
