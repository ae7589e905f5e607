"""What if, validation and the run page give one answer to one question, for loads of the recorded study."""

from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import polars as pl
import pytest

from pipeline import ingest
from pipeline.api.holdout import HoldoutData
from pipeline.api.what_if import WhatIf, what_if_of
from pipeline.evaluate.holdout import HOST_MODEL, HOST_MODEL_CALIBRATED
from pipeline.evaluate.single_run import evaluate_run
from pipeline.model.colocation import HostModels
from pipeline.model.fit import group_by_deployment, model_of_run, with_run_demands
from pipeline.model.observation import Deployment, Observation, observe_study
from pipeline.model.scenario import Scenario
from pipeline.quality.check import CHECKS
from pipeline.raw import Run, find_studies
from pipeline.report.tables.holdout import df_held_out

STUDY, DRAWS, EXACTLY = "kvm-case-study", 20, 1e-9
CASE_STUDY = ("web-005-a", "db-16-a", "both-005-16-a")
RUNS = {
    "first": ("web-050-even", "web-050-poisson", "web-110-even", "web-110-poisson"),
    "second": ("web-016-even", "web-016-poisson", "web-021-even", "web-021-poisson"),
}
"""Runs of a sweep, the last two of each held out: the client's sequence is known where they are ``poisson``."""
BOTH = ("db-01-sweep", "db-04-sweep", "db-32-sweep", "both-005-16-b", *CASE_STUDY)


@dataclass(frozen=True)
class Pages:
    """One study as its pages hold it."""

    validation: HoldoutData
    what_if: dict[Deployment, WhatIf]
    runs: list[Run]
    processed: Path

    @property
    def observations(self) -> list[Observation]:
        return self.validation.observations


@pytest.fixture(scope="session")
def pages(root, tmp_path_factory) -> Pages:
    (study,) = (s for s in find_studies(root / "data/raw") if s.name == STUDY)
    runs = [run for run in study.runs() if run.run in (*RUNS[run.server], *BOTH)]
    processed = tmp_path_factory.mktemp("same-answer")
    ingest.ensure_ingested(runs, processed)
    found, lost = observe_study(study, processed, draws=DRAWS, runs=runs)
    assert lost == {}
    validation = HoldoutData(study, processed, found, lost)
    asked = {place: what_if_of(study, found, *place) for place in validation.deployments}
    return Pages(validation, asked, runs, processed)


def same(*answers: float | None) -> None:
    """To rounding error; what has no bound has none anywhere."""
    first, *others = (inf if answer is None else answer for answer in answers)
    assert others == pytest.approx([first] * len(others), rel=EXACTLY)


def test_a_load_alone_has_one_answer(pages):
    """X and R of each load, and the interval of R for a run not seen yet."""
    predicted = pages.validation.predictions.filter(
        pl.col("predictor")
        == pl.when(pl.col("kind") == "open")
        .then(pl.lit(HOST_MODEL_CALIBRATED))
        .otherwise(pl.lit(HOST_MODEL))
    )
    seen = 0
    for group in group_by_deployment(pages.observations):
        for load, _, _ in group.by_load():
            row = predicted.row(
                by_predicate=(pl.col("server") == group.server)
                & (pl.col("virtual_server") == group.virtual_server)
                & (pl.col("load") == load.label),
                named=True,
            )
            answer = pages.what_if[group.deployment].scenario().predict(load)
            same(row["X_per_s"], answer.throughput.value)
            for name, value in (
                ("R", answer.response_time.value),
                ("R_low", answer.response_time.low),
            ):
                same(row[f"{name}_ms"], 1e3 * value)
            seen += 1
    assert seen == 2 * (5 + 4)


def test_a_run_beside_a_loaded_neighbour_has_one_answer(pages):
    """Validation's table, the error decomposition, and What if on the other server as well."""
    beside = pages.validation.colocated
    assert beside.height == 8
    for row in beside.iter_rows(named=True):
        told = [
            data.recorded.filter(run=f"{row['server']}/{row['run']}").row(0, named=True)
            for (_, name), data in pages.what_if.items()
            if name == row["virtual_server"]
            and f"{row['server']}/{row['run']}" in data.recorded["run"]
        ]
        assert told
        same(row["R_ms"], *(one["R_model"] for one in told))
        same(row["X_per_s"], *(one["X_model"] for one in told))


def test_the_scene_that_the_sliders_begin_with_is_that_run_s(pages):
    """The place beside the other virtual server, at the load of the double run."""
    for place, data in pages.what_if.items():
        (number,) = (
            i for i, at in enumerate(data.places) if at.neighbours and at.server == place[0]
        )
        (one,) = (
            o for o in pages.observations if o.deployment == place and o.run == "both-005-16-a"
        )
        row = data.recorded.filter(run=one.path).row(0, named=True)
        answer = data.scenario(number).predict(one.load)
        same(row["R_model"], 1e3 * answer.response_time.value)
        same(row["X_model"], answer.throughput.value)


def test_a_load_held_out_is_judged_by_what_what_if_says(pages):
    """Every held-out load was recorded once here, so that the typical run is that run."""
    judged = df_held_out(pages.validation)
    held = [one for one in pages.observations if one.held_out]
    assert judged.height == len(held) == 2 * (2 + 1 + 2)
    for one in held:
        row = pages.what_if[one.deployment].recorded.filter(run=one.path).row(0, named=True)
        words = one.load.label + ("" if one.is_alone else ", co-located")
        ours = judged.filter(server=one.server, virtual_server=one.virtual_server, load=words).row(
            0, named=True
        )
        decomposed = pages.validation.error_decomposition.filter(
            server=one.server, virtual_server=one.virtual_server, run=one.run
        ).row(0, named=True)
        same(row["R_model"], ours["R_model"], decomposed["predicted_ms"])
        if row["R_model"] is not None:
            same(row["X_model"], ours["X_model"], decomposed["X_per_s"])


def test_a_run_s_own_demands_have_one_answer(pages):
    """The run page, What if asked about that run's own model, and validation's form with that run's demands."""
    seen = 0
    for run in pages.runs:
        if run.run not in CASE_STUDY:
            continue
        rows = evaluate_run(
            pages.validation.study, run, pages.processed, pl.DataFrame(schema=CHECKS)
        )
        for row in rows.iter_rows(named=True):
            (one,) = (
                o
                for o in pages.observations
                if (o.path, o.virtual_server) == (f"{run.server}/{run.run}", row["virtual_server"])
            )
            own = model_of_run(one)
            asked = Scenario(HostModels(own, own), one.load).predict(one.load)
            like = replace(
                pages.validation.models[one.deployment].alone, arrival_scv=own.arrival_scv
            )
            explained = with_run_demands(one, replace(like, calibration=own.calibration)).predict(
                one.load
            )
            same(row["R_ms"], *(1e3 * a.response_time.value for a in (asked, explained)))
            same(row["X_per_s"], *(a.throughput.value for a in (asked, explained)))
            seen += 1
    assert seen == 2 * 4


def test_the_client_s_sequence_is_used_where_it_is_known(pages):
    """X of the sequence, not of the rate that was asked for; a curve is of any stream of that rate."""
    data = pages.what_if["second", "web"]
    (one,) = (o for o in data.measured if o.run == "web-021-poisson")
    row = data.recorded.filter(run=one.path).row(0, named=True)
    assert row["X_model"] == pytest.approx(one.throughput_per_s, rel=0.01)
    assert row["X_model"] > 1.05 * 21
    any_stream = data.scenario(spacing="poisson").at_level(21.0)
    assert any_stream.interarrival_s is None and any_stream.mean_rate_per_s == 21
    assert any_stream.arrival_text != row["process"]
