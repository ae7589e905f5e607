"""The fitted model of a study: the one of the what-if page, and right where the truth is known."""

import math

import pytest
from two_servers import SLOWER, open_two_servers

import pipeline as qv


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> qv.StudyData:
    return open_two_servers(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def page(two) -> qv.WhatIf:
    return qv.open_what_if("two", "first", "web", raw=two.raw, processed=two.processed)


def test_it_is_the_model_of_the_what_if_page(two, page):
    model = two.fit("first", "web")
    assert model.load == page.load
    assert model.levels == (20.0, 30.0)
    scenario = page.scenario()
    for load in (page.load, scenario.at_level(25.0), scenario.at_level(30.0)):
        ours, theirs = model.predict(load), scenario.predict(load)
        for answer, band, factor in (
            ("response", theirs.response_time, 1e3),
            ("throughput", theirs.throughput, 1),
        ):
            unit = "ms" if answer == "response" else "per_s"
            values = [getattr(ours, f"{answer}{end}_{unit}") for end in ("", "_low", "_high")]
            assert values == [factor * band.value, factor * band.low, factor * band.high]


def test_a_model_is_fitted_once_and_the_slower_server_is_slower(two):
    assert two.fit("first", "web") is two.fit("first", "web")
    first, second = (
        two.fit(server, "web").predict(qv.poisson(20)) for server in ("first", "second")
    )
    ratio = second.cpu_utilization / first.cpu_utilization
    assert ratio == pytest.approx(SLOWER, rel=0.2)
    assert first.response_ms < second.response_ms
    assert first.response_low_ms <= first.response_ms <= first.response_high_ms
    assert first.throughput_per_s == 20.0


def test_a_closed_load_obeys_little_s_law(known):
    if known.run.run == "web":
        pytest.skip("its load is open")
    study = qv.open_study("known", raw=known.run.path.parents[2], processed=known.processed)
    model = study.fit("first", "db")
    for threads, think_s in ((5, 0.0), (5, 0.5), (9, 0.0)):
        predicted = model.predict(qv.closed(threads, think_time_s=think_s))
        cycle_s = predicted.response_ms / 1e3 + think_s
        assert predicted.throughput_per_s * cycle_s == pytest.approx(threads, rel=1e-9)
        assert predicted.is_extrapolated == (threads != 5)
    page = qv.open_what_if("known", "first", "db", raw=study.raw, processed=study.processed)
    expected = page.scenario().predict(page.load)
    assert model.predict(qv.closed(5)).throughput_per_s == expected.throughput.value
    assert model.levels == (5.0, 5.0)


def test_loads_outside_the_fit_are_said_so(two):
    model = two.fit("first", "web")
    inside, outside = model.predict(qv.poisson(25)), model.predict(qv.poisson(40))
    assert (inside.is_extrapolated, inside.warnings) == (False, ())
    assert outside.is_extrapolated and "20 to 30 requests/s" in outside.warnings[0]
    assert any("even arrivals" in text for text in model.predict(qv.even(25)).warnings)
    full = model.predict(qv.poisson(1000))
    assert full.response_ms == math.inf and full.throughput_per_s is None
    assert full.cpu_utilization > 1 and "no bound" in full.warnings[0]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda study: qv.closed(0), "whole number"),
        (lambda study: qv.closed(1.5), "whole number"),
        (lambda study: qv.closed(1, think_time_s=-1), "think_time_s"),
        (lambda study: qv.poisson(0), "above 0"),
        (lambda study: qv.even(math.inf), "above 0"),
        (
            lambda study: study.fit("first", "web").predict(qv.closed(4)),
            "open loads; give qv.poisson",
        ),
        (lambda study: study.fit("frst", "web"), "choose from first, second"),
        (lambda study: study.fit("first", "wbe"), "choose from web"),
    ],
)
def test_what_cannot_be_answered_is_an_error_of_ours(two, make, why):
    with pytest.raises(qv.Error, match=why):
        make(two)
