"""Service demands of runs, as a page shows them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from synthetic_runs import open_load, runs_alone

from pipeline.api.holdout import HoldoutData
from pipeline.report.tables.demands import df_demand_vs_neighbours


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
