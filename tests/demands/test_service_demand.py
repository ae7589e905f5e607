"""The Service Demand Law: windows by hand, and recovery from the raw logs of a simulated run."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from pipeline.demands import texts
from pipeline.demands.service_demand import (
    PointEstimate,
    RunDemands,
    estimate_demands,
    estimate_with_intervals,
)
from pipeline.measure.time_series import TimeSeries
from pipeline.measure.virtual_server import STATIONS, RunCounters
from pipeline.measure.window import NS_PER_S, MissingData, bracketing_span, contained_span
from pipeline.raw import Window
from pipeline.synthetic.ground_truth import ground_truth

RUN = SimpleNamespace(id="s/first/r", server="first", run="r")
SERVER = SimpleNamespace(name="web")


def series(done, busy, step: float = 0.0, missing: dict | None = None, doubts=None) -> TimeSeries:
    frame = pl.DataFrame(
        {"start_s": np.arange(len(done)), "length_s": 1.0, "completions": done, "host_cpu": busy}
    )
    return TimeSeries(frame, {"host_cpu": step}, missing or {"disk": "no log"}, (), doubts or {})


def windows(demand_s: float, idle: float, seconds: int, rate: float, seed: int) -> TimeSeries:
    """Seconds in which a Poisson number of requests each took an exponential time, beside a background."""
    random = np.random.default_rng(seed)
    done = random.poisson(rate, seconds).astype(float)
    busy = np.array([random.gamma(n, demand_s) if n else 0.0 for n in done])
    return series(done, busy + idle * random.gamma(4, 1 / 4, seconds), step=0.01)


def idle_windows(idle: float, seconds: int, seed: int) -> TimeSeries:
    return windows(1.0, idle, seconds, 0.0, seed)


def point(load: TimeSeries, idle: TimeSeries | None, station: str) -> PointEstimate | str:
    """Busy time over requests, by the windows themselves."""
    if station not in load.frame.columns:
        return load.missing.get(station, f"no {station}")
    rate = 0.0 if idle is None or station not in idle.frame else float(idle.frame[station].mean())
    busy, done = (float(load.frame[name].sum()) for name in (station, "completions"))
    value = max(busy - rate * load.frame.height, 0.0) / done
    return PointEstimate(value, busy, rate, flags=load.column_flags.get(station, ()))


def estimated(
    load: TimeSeries,
    idle: TimeSeries | None = None,
    stations=("host_cpu",),
    run=RUN,
    draws: int = 300,
) -> RunDemands:
    points = {station: point(load, idle, station) for station in stations}
    window = Window(0, load.frame.height * NS_PER_S)
    counters = SimpleNamespace(run=run, server=SERVER, window=window)
    return estimate_with_intervals(load, idle, points, counters, draws=draws)


# -- by hand ------------------------------------------------------------------------------------------------


def test_demand_is_busy_time_over_requests():
    found = estimated(series([10.0, 30, 20, 0], [0.2, 0.6, 0.4, 0.0]))
    demand = found.demand("host_cpu")
    assert demand.value_s == pytest.approx(1.2 / 60)
    assert (demand.busy_s, demand.background_per_s) == (pytest.approx(1.2), 0)
    assert (found.completions, found.throughput_per_s) == (60, 15)
    # busy time follows the requests exactly: nothing is left to chance
    assert demand.draws_s == pytest.approx(np.full(300, 0.02))


def test_the_background_is_subtracted_over_the_whole_span():
    load = series([10.0, 30, 20, 0], [0.3, 0.7, 0.5, 0.1])
    found = estimated(load, series([0.0] * 8, [0.1] * 8)).demand("host_cpu")
    assert found.value_s == pytest.approx((1.6 - 4 * 0.1) / 60)
    assert found.background_per_s == pytest.approx(0.1)
    assert found.busy_s == pytest.approx(1.6)


def test_no_demand_is_negative():
    found = estimated(series([10.0] * 6, [0.05] * 6), series([0.0] * 6, [0.1] * 6))
    demand = found.demand("host_cpu")
    assert (demand.value_s, demand.low_s) == (0, 0)
    assert (demand.draws_s >= 0).all()


def test_flags_of_a_counter_are_flags_of_the_demand():
    load = series([10.0] * 6, [0.05] * 6, doubts={"host_cpu": ("a process ended",)})
    assert estimated(load).demand("host_cpu").flags == ("a process ended",)


def test_a_missing_station_has_a_reason():
    found = estimated(series([10.0] * 6, [0.05] * 6), stations=("host_cpu", "disk", "vdisk"))
    assert found.missing == {"disk": "no log", "vdisk": "no vdisk"}
    with pytest.raises(MissingData, match="no log"):
        found.demand("disk")
    with pytest.raises(MissingData, match="no demand at moon"):
        found.demand("moon")
    assert set(found.demands) == {"host_cpu"}


def test_a_station_without_an_idle_rate_is_missing():
    """Load windows that have it and idle windows that do not: the background cannot be taken off."""
    idle = TimeSeries(
        series([0.0] * 6, [0.1] * 6).frame.drop("host_cpu"), {}, {"host_cpu": "log too late"}
    )
    assert estimated(series([10.0] * 6, [0.5] * 6), idle).missing == {"host_cpu": "log too late"}


# -- intervals ----------------------------------------------------------------------------------------------


def test_the_same_run_gives_the_same_draws():
    load, idle = windows(0.01, 0.05, 40, 30, 1), idle_windows(0.05, 20, 2)
    one, two = (estimated(load, idle) for _ in range(2))
    assert (one.demand("host_cpu").draws_s == two.demand("host_cpu").draws_s).all()
    assert (one.throughput_draws_per_s == two.throughput_draws_per_s).all()
    other = estimated(load, idle, run=SimpleNamespace(id="s/first/q", server="first", run="q"))
    assert (one.demand("host_cpu").draws_s != other.demand("host_cpu").draws_s).any()


def test_draws_of_one_station_do_not_depend_on_which_others_are_missing():
    """A log that is lost changes no other station's windows."""
    load = windows(0.01, 0.0, 40, 30, 1)
    steps = {"disk": 0.01, "host_cpu": 0.01}
    both = TimeSeries(load.frame.with_columns(disk=pl.col("host_cpu") / 2), steps, {})
    alone = estimated(TimeSeries(load.frame, steps, {})).demand("host_cpu")
    for stations in (("host_cpu", "disk"), ("disk", "host_cpu")):
        beside = estimated(both, stations=stations)
        assert (beside.demand("host_cpu").draws_s == alone.draws_s).all()
        # the same windows were drawn for both, so their scatter is the same; their readings' is not
        together = np.corrcoef(alone.draws_s, beside.demand("disk").draws_s)[0, 1]
        assert 0.9 < together < 1


@pytest.mark.parametrize("idle", [0.0, 0.1])
def test_intervals_of_a_demand_have_their_coverage(idle):
    held, trials = 0, 150
    for seed in range(trials):
        load = windows(0.01, idle, 60, 20, 2 * seed)
        found = estimated(load, idle_windows(idle, 30, 2 * seed + 1)).demand("host_cpu")
        assert found.low_s <= found.value_s <= found.high_s
        held += found.low_s <= 0.01 <= found.high_s
    assert 0.90 <= held / trials <= 0.995


def test_a_coarse_counter_widens_the_interval():
    load = windows(0.01, 0.0, 40, 30, 3)
    fine, coarse = (
        estimated(TimeSeries(load.frame, {"host_cpu": step}, {})).demand("host_cpu")
        for step in (0.0, 2.0)
    )
    assert coarse.value_s == fine.value_s
    assert coarse.high_s - coarse.low_s > 1.5 * (fine.high_s - fine.low_s)


def test_a_short_idle_baseline_widens_the_interval():
    load = windows(0.01, 0.1, 60, 20, 4)
    long, short = (
        estimated(load, idle_windows(0.1, seconds, 5)).demand("host_cpu") for seconds in (60, 6)
    )
    assert short.high_s - short.low_s > 1.2 * (long.high_s - long.low_s)


# -- simulated runs -------------------------------------------------------------------------------------------


def test_demands_are_recovered_from_raw_logs(known):
    found = estimate_demands(RunCounters(known.run, known.server, known.processed))
    true = ground_truth(known.history)["virtual_servers"][known.run.run]
    assert found.completions == true["requests"]
    assert found.throughput_per_s == pytest.approx(true["throughput_per_s"], rel=0.02)
    assert found.missing == {}
    for station, name in (("guest_cpu", "cpu"), ("vdisk", "vdisk"), ("disk", "disk")):
        demand, expected = found.demand(station), true["stations"][name]
        if demand.flags:  # exited processes: a lower bound
            assert "exited during the window" in demand.flags[0] and known.run.run == "web"
            assert 0.8 * expected["realised_s"] < demand.value_s < expected["realised_s"]
            continue
        assert demand.value_s == pytest.approx(expected["realised_s"], rel=0.05), station
        assert demand.low_s <= expected["demand_s"] <= demand.high_s, station
        assert demand.high_s - demand.low_s < 0.4 * expected["demand_s"], station
    # QEMU's threads: all that the guest's CPU did for requests, and the I/O thread
    host = true["stations"]["cpu"]["realised_s"] + true["iothread_s"]
    assert found.demand("host_cpu").value_s == pytest.approx(host, rel=0.05)


def test_by_hand_from_the_tables(known):
    """The disk's demand from two lines of each log: U = busy/T, X = requests/T, D = U/X less the idle rate."""
    counters = RunCounters(known.run, known.server, known.processed)
    rows = counters.tables.sampled("block", known.server.role).filter(
        pl.col("device") == known.server.virtual_disk
    )

    def grown(window, bounds=bracketing_span) -> tuple[float, float]:
        span = bounds(rows, window)
        ends = rows.filter(pl.col("snapshot").is_in([span.first, span.last])).sort("snapshot")
        return (ends["io_ticks_ms"][1] - ends["io_ticks_ms"][0]) / 1000, span.span_s

    busy, _ = grown(counters.window)
    idle, idle_s = grown(known.run.idle_before, contained_span)
    requests = len(known.guest.reply_s)
    by_hand = (busy - idle / idle_s * counters.window.duration_s) / requests
    assert estimate_demands(counters).demand("vdisk").value_s == pytest.approx(by_hand, rel=1e-9)


def test_without_an_idle_baseline_the_background_is_included_and_flagged(known):
    counters = RunCounters(known.run, known.server, known.processed)
    with_background_off = estimate_demands(counters, draws=50)
    run = SimpleNamespace(
        **{name: getattr(known.run, name) for name in (
            "id", "server", "run", "study", "window", "roles", "virtual_servers", "client_log", "clock_offset_ns",
            "facts", "manifest",
        )},
        idle_before=None,
    )  # fmt: skip
    found = estimate_demands(RunCounters(run, known.server, known.processed), draws=50)
    assert texts.NO_BACKGROUND in found.flags
    assert not any("background" in flag for flag in with_background_off.flags)
    for station in STATIONS:
        kept, off = found.demand(station), with_background_off.demand(station)
        assert kept.background_per_s == 0
        assert kept.value_s > off.value_s
