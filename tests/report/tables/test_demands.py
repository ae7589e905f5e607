"""Service demands of runs, as a page shows them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from synthetic_runs import observation, open_load, runs_alone

from pipeline.api.holdout import HoldoutData
from pipeline.raw import Window
from pipeline.report.tables.demands import (
    demand_and_rate_text,
    df_demand_and_rate,
    df_demand_vs_neighbours,
)


def holdout_data(observations):
    return HoldoutData(SimpleNamespace(title_of=str), Path("nowhere"), observations, {})


def test_demands_are_relative_to_replications_of_their_load():
    some = [
        replace(one, run=f"{one.run}-{i}", neighbour_cpu=0.06 + i / 100)
        for i in range(3)
        for one in runs_alone(host_cpu_s=0.010 * 1.5**i)
    ]
    frame = df_demand_vs_neighbours(
        holdout_data([*some, replace(some[0], run="once", load=open_load(7))])
    )
    assert frame.height == 18  # a load that was run once has no replications
    assert sorted(frame["neighbour_cpu_percent"].unique()) == pytest.approx([6, 7, 8])
    for i, relative in enumerate((1 / 1.5, 1, 1.5)):
        of_run = frame.filter(frame["run"].str.ends_with(f"-{i}"))
        assert of_run["relative_demand"].to_numpy() == pytest.approx(relative)


def test_a_sweep_says_how_a_demand_changes_with_the_load():
    runs = [
        replace(
            observation(open_load(rate), host_cpu_s=0.010 * rate**-0.3, disk_s=0.002),
            run=f"{rate}-{batch}",
            window=Window(batch * 10**13 + i * 10**11, batch * 10**13 + (i + 1) * 10**11),
        )
        for batch in range(2)
        for i, rate in enumerate((5, 10, 20, 40))
    ]
    data = holdout_data(runs)
    cpu, disk = df_demand_and_rate(data).iter_rows(named=True)
    assert (cpu["station"], cpu["loads"], cpu["runs"]) == ("CPU", "5 to 40", 8)
    assert cpu["ratio"] == pytest.approx(8**-0.3) and cpu["verdict"] == "refuted"
    assert cpu["largest_change"] == "-46 %"
    assert disk["ratio"] == pytest.approx(1) and disk["verdict"] == "not refuted"
    assert "CPU in 1 of 1" in demand_and_rate_text(data) and "0 of 1" in demand_and_rate_text(data)
    nothing = holdout_data([])
    assert df_demand_and_rate(nothing).is_empty() and demand_and_rate_text(nothing)
