"""The limiting station of a closed system: planted ones are recovered, none is reported where there is none."""

import numpy as np
import polars as pl
import pytest

from pipeline.evaluate import texts
from pipeline.evaluate.missing_station import fit_station, judge_stations, predict_cpu_model
from pipeline.network.convolution import sweep_closed
from pipeline.network.service import Service

LEVELS = np.array([5, 10, 20, 40, 70, 110, 150])
PROCESSORS, DEMAND_S, DELAY_S = 32, 0.0025, 0.002
NOISE = 0.01


def synthetic(cpu: Service, station_s: float = 0.0, exponent: float = 0.0, seed: int = 1):
    """A sweep of a CPU, a delay and a planted station, with 1 % of noise on X."""
    stations, demands = [cpu], [DEMAND_S]
    if station_s:
        top = int(LEVELS.max())
        multipliers = np.arange(1.0, top + 1) ** exponent
        stations.append(Service.load_dependent(tuple(multipliers)))
        demands.append(station_s * multipliers[-1])
    exact = sweep_closed(demands, int(LEVELS.max()), DELAY_S, stations)[LEVELS]
    x = exact * np.exp(NOISE * np.random.default_rng(seed).standard_normal(len(LEVELS)))
    demand_s = np.full(len(x), DEMAND_S)
    if cpu.kind != "queue":  # busy processors n at the load X D / α, demand D n / α(n)
        alpha = np.array(cpu.multipliers)
        servers = np.arange(1, len(alpha) + 1)
        busy = np.interp(exact * DEMAND_S, alpha, servers)
        demand_s = busy / exact
    return pl.DataFrame(
        {
            "population": LEVELS,
            "X_per_s": x,
            "R_ms": LEVELS / x * 1e3,
            "X_sd_per_s": NOISE * x,
            "busy": np.minimum(x * demand_s / PROCESSORS, 1.0),
        }
    )


@pytest.mark.parametrize(("exponent", "seed"), [(0.0, 1), (0.0, 2), (0.15, 3)])
def test_a_planted_station_is_recovered_inside_its_interval(exponent, seed):
    planted_s = 0.0002
    verdict = judge_stations(synthetic(Service.queue(32), planted_s, exponent, seed), PROCESSORS)
    assert verdict.outcome == texts.STATION_MISSING
    fit = verdict.station
    assert fit.demand_low_s <= planted_s <= fit.demand_high_s
    assert fit.demand_high_s / fit.demand_low_s < 1.15
    assert fit.exponent_low <= exponent <= fit.exponent_high
    assert fit.delay_s == pytest.approx(DELAY_S + DEMAND_S, rel=0.1)  # the CPU does not queue


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_station_is_reported_where_none_is_missing(seed):
    verdict = judge_stations(synthetic(Service.queue(32), seed=seed), PROCESSORS)
    assert verdict.outcome == texts.NO_STATION_MISSING
    assert verdict.station is None
    assert verdict.is_model_accepted


def test_a_demand_that_rises_is_no_missing_station():
    """Hyper-threading: with all processors busy a request needs 1.8 times the CPU time."""
    servers = np.arange(1.0, 33)
    rising = Service.load_dependent(tuple(servers / np.linspace(1, 1.8, 32)))
    sweep = synthetic(rising)
    verdict = judge_stations(sweep, PROCESSORS)
    assert verdict.outcome == texts.CPU_LIMITS
    constant, load_dependent = (
        predict_cpu_model(sweep, PROCESSORS, load_dependent=flag)["error_X"].abs().max()
        for flag in (False, True)
    )
    assert constant > 0.5
    assert load_dependent < 0.12


def test_nothing_is_decided_where_little_s_law_does_not_hold():
    sweep = synthetic(Service.queue(32), 0.0002).with_columns(pl.col("R_ms") * 0.8)
    assert judge_stations(sweep, PROCESSORS).outcome == texts.UNDECIDED


def test_below_its_knee_a_sweep_shows_no_station():
    """X in proportion to N: any demand from 0 on is possible, up to a limit that the data do set."""
    n = np.array([1, 2, 4, 6, 8])
    exact = n / 0.01
    x = exact * np.exp(NOISE * np.random.default_rng(5).standard_normal(5))
    fit = fit_station(n, x, NOISE * x, load_dependent=False)
    assert fit.demand_low_s == 0.0
    assert 0 < fit.demand_high_s < 1 / x.max()


def test_the_interval_is_wider_where_the_residuals_are():
    n = LEVELS
    x = sweep_closed([0.0002], 150, 0.005, [Service.queue()])[n]
    wave = x * np.exp(0.03 * np.resize([1, -1], len(n)))
    narrow = fit_station(n, x, 0.003 * x, load_dependent=False)
    wide = fit_station(n, wave, 0.003 * x, load_dependent=False)
    assert narrow.demand_s == pytest.approx(0.0002, rel=1e-4)
    ratio = np.log(wide.demand_high_s / wide.demand_low_s) / np.log(
        narrow.demand_high_s / narrow.demand_low_s
    )
    assert ratio > 5


def test_too_few_levels_are_refused():
    with pytest.raises(ValueError, match="five levels"):
        fit_station([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0])
