"""Tables of the hold-out page: held-out loads, co-located runs, bootstrap outcomes, demands beside neighbours."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from synthetic_runs import colocated_study, open_load, runs_alone

from pipeline.api.holdout import HoldoutData
from pipeline.evaluate.acceptance import OUTSIDE_TOLERANCE, WITHIN_TOLERANCE
from pipeline.evaluate.parametric_bootstrap import BOOTSTRAP_VERDICTS
from pipeline.evaluate.transfer import colocated_runs
from pipeline.model.colocation import fit_deployments
from pipeline.report.tables.demands import df_demand_vs_neighbours
from pipeline.report.tables.holdout import (
    bootstrap_text,
    df_bootstrap_by_load,
    df_colocated,
    df_held_out,
    holdout_key_figures,
)


def page(observations):
    return HoldoutData(SimpleNamespace(title_of=str), Path("nowhere"), observations, {})


def test_the_page_shows_each_run_with_and_without_company():
    found = df_colocated(page(colocated_study()))
    assert found["run"].to_list() == ["both-a", "both-a", "both-b", "both-b"]
    assert found["used"].to_list() == ["fitted to", "fitted to", "held out", "held out"]
    row = found.filter(run="both-b", virtual_server="web").row(0, named=True)
    alone = row["R from runs with one load"]
    assert row["error"] == f"{100 * (alone / row['R measured'] - 1):+.0f} %"


def test_repetitions_beside_a_loaded_neighbour_are_one_load():
    again = [
        replace(one, run="both-d", response_time_s=1.2 * one.response_time_s)
        for one in colocated_study()
        if one.run == "both-b"
    ]
    found = df_held_out(page([*colocated_study(), *again]))
    rows = found.filter(found["load"].str.contains("both"))
    assert rows["virtual_server"].to_list() == ["web", "db"]
    first = [
        one for one in colocated_study() if one.run == "both-b" and one.virtual_server == "web"
    ]
    assert rows["R measured"][0] == pytest.approx(1.2**0.5 * 1e3 * first[0].response_time_s)


def test_the_verdict_by_the_mean_stands_beside_that_by_the_typical_run():
    """As predicted in one run, 1.36 times that in the other: 1.166 times for the typical run, 1.18 in the mean."""
    (web,) = (
        colocated_runs(colocated_study(), fit_deployments(colocated_study()))
        .filter(run="both-b", virtual_server="web")
        .iter_rows(named=True)
    )
    runs = []
    for one in colocated_study():
        held = one.run == "both-b"
        if held and one.virtual_server == "web":
            one = replace(one, response_time_s=web["R_ms"] / 1e3)
        runs.append(one)
        if held:
            runs.append(replace(one, run="both-d", response_time_s=1.36 * one.response_time_s))
    found = df_held_out(page(runs))
    row = found.filter(found["load"].str.contains("both"), virtual_server="web").row(0, named=True)
    assert (row["error R"], row["outcome"], row["by the mean"]) == (
        "-14 %",
        WITHIN_TOLERANCE,
        OUTSIDE_TOLERANCE,
    )
    assert holdout_key_figures(found) == {
        "loads held out": "2",
        "near enough": "1 of 2",  # the database was never answered by the model
        "missed, but explained": "0",
        "missed": "1",
        "missed by the mean": "2",
    }


def test_the_pace_of_a_run_is_told_beside_others_of_its_load():
    some = [
        replace(one, run=f"{one.run}-{i}", neighbour_cpu=0.06 + i / 100)
        for i in range(3)
        for one in runs_alone(host_cpu_s=0.010 * 1.5**i)
    ]
    found = df_demand_vs_neighbours(page([*some, replace(some[0], run="once", load=open_load(7))]))
    assert found.height == 18  # a load that was run once has nothing beside it
    assert sorted(found["others"].unique()) == pytest.approx([6, 7, 8])
    for i, relative in enumerate((1 / 1.5, 1, 1.5)):
        mine = found.filter(found["run"].str.ends_with(f"-{i}"))
        assert mine["relative"].to_numpy() == pytest.approx(relative)


def test_what_the_drawn_studies_say_in_words():
    judged = [OUTSIDE_TOLERANCE, WITHIN_TOLERANCE, OUTSIDE_TOLERANCE, OUTSIDE_TOLERANCE]
    drawn_studies = pl.DataFrame(
        {
            "sample": [0, 0, 1, 1],
            "server": ["first"] * 4,
            "virtual_server": ["web"] * 4,
            "load": ["10/s even", "20/s even"] * 2,
            "outcome": judged,
            "error_R": [-0.2, 0.0, -0.4, 0.2],
            "error_R_vs_arithmetic_mean": [-0.3, 0.0, -0.5, 0.1],
        }
    )
    here = pl.DataFrame(
        {
            "server": ["first"] * 3,
            "virtual_server": ["web"] * 3,
            "load": ["10/s even", "20/s even", "5/s even, both"],
            "outcome": [WITHIN_TOLERANCE, OUTSIDE_TOLERANCE, OUTSIDE_TOLERANCE],
        }
    )
    assert bootstrap_text(drawn_studies, here) == (
        "If the model were true, 1.5 of these 2 loads would be missed on the average of 2 drawn studies, and none in "
        "0.0 % of them; here it is 1."
    )
    rows = df_bootstrap_by_load(drawn_studies, here).sort("load").to_dicts()
    assert [row[OUTSIDE_TOLERANCE] for row in rows] == [100, 50] and [
        row[WITHIN_TOLERANCE] for row in rows
    ] == [0, 50]
    assert [row["error"] for row in rows] == ["-30 %", "+10 %"]
    assert [row["here"] for row in rows] == [WITHIN_TOLERANCE, OUTSIDE_TOLERANCE]
    assert "too few" in bootstrap_text(pl.DataFrame(schema=BOOTSTRAP_VERDICTS), here)
    assert df_bootstrap_by_load(pl.DataFrame(schema=BOOTSTRAP_VERDICTS), here).is_empty()
