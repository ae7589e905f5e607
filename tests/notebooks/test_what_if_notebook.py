"""What if: what the page of a small study can ask, and what it refuses."""

import math
import re
from dataclasses import replace

import pytest
import small_study

from pipeline import api, charts
from pipeline.model.scenario import TargetCrossing
from pipeline.raw import RawRunError
from pipeline.report import texts
from pipeline.report.tables import what_if, what_if_curves
from pipeline.units import format_percent

pytestmark = [pytest.mark.report, pytest.mark.xdist_group("report")]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    home = tmp_path_factory.mktemp("what-if") / "raw"
    small_study.write(home)
    return home


def opened(raw, server="first", virtual_server="db", **more) -> api.WhatIf:
    return api.open_what_if(
        small_study.STUDY, server, virtual_server, raw=raw, processed=raw.parent / "tables", **more
    )


@pytest.fixture(scope="module")
def db(raw) -> api.WhatIf:
    return opened(raw)


@pytest.fixture(scope="module")
def web(raw) -> api.WhatIf:
    return opened(raw, "second", "web")


def test_one_run_is_fitted_and_told_to_be_thin(db):
    assert [one.run for one in db.fitted] == ["db-16-a"]
    assert what_if.has_warnings(db)
    assert texts.FEW_LOADS in what_if.fit_text(db)
    assert db.load.label == "16 threads" and not db.is_open and db.spacings == [""]


def test_the_other_virtual_server_can_be_put_beside_it(db):
    assert [place.title for place in db.places] == [
        "alone on the first server",
        "with the web server (5/s even) on the first server",
    ]
    # the small study's servers have a CPU each
    assert any("none is the weaker" in line for line in db.missing)


def test_the_default_target_is_twice_today_s_response_time(db, raw):
    now = db.scenario().predict(db.load).response_time.value
    assert db.target_s == pytest.approx(2 * now, rel=0.05)
    assert opened(raw, target_ms=250.0).target_s == 0.25


def test_the_sliders_have_a_curve_at_every_position(db):
    rows = list(what_if_curves.grid(db))
    positions = {(r["place"], r["cpu_speed"], r["cpus"], r["disk_speed"]) for r in rows}
    each = (
        len(what_if_curves.CPU_SPEEDS)
        * len(what_if_curves.CPU_COUNTS)
        * len(what_if_curves.DISK_SPEEDS)
    )
    assert len(rows) == len(positions) == 2 * each
    for row in rows:
        assert len(row["size"]) == len(row["R"]) == len(row["X"])
        assert all(value is None or math.isfinite(value) for value in row["R_high"])


def test_the_demands_say_what_the_curves_say(db):
    """The small study's database: 10 ms of CPU and 10 ms of disk a transaction, about 1 % of the CPU idle."""
    curve = what_if.scenarios(db)[0].curve
    assert curve.max_throughput_per_s == pytest.approx(1 / 0.010, rel=0.02)
    assert curve.knee == pytest.approx(2, rel=0.02)


def test_each_change_is_a_row_and_helps_or_not(web):
    asked = what_if.scenarios(web)
    table = what_if.df_scenarios(web, asked)
    changes = list(texts.HARDWARE_CHANGES.values())
    place = "with the database (16 threads) on the second server"
    assert table["scenario"].to_list() == [texts.BASELINE, *changes, place]
    most = {one.title: one.curve.max_throughput_per_s for one in asked}
    assert most[changes[0]] == pytest.approx(2 * most[texts.BASELINE], rel=0.05)
    assert most[changes[2]] == pytest.approx(most[texts.BASELINE], rel=0.01)
    assert most[place] < most[texts.BASELINE]


def test_measured_runs_stand_beside_the_model(web):
    row = web.recorded.row(0, named=True)
    assert (row["run"], row["role_in_fit"], row["R"]) == ("second/web-005-a", "fitted", 14.0)
    assert (row["place"], row["size"], row["X"]) == (0, 5.0, 5.0)
    assert row["error"] == pytest.approx(row["R_model"] / row["R"] - 1)
    assert row["R_model"] == pytest.approx(
        1e3 * web.scenario().predict(web.load).response_time.value, rel=1e-9
    )


def test_runs_that_were_not_fitted_to_tell_how_far_to_believe(web):
    """A run like the fitted one, but held out, and with twice the response time."""
    one = web.fitted[0]
    slow = replace(one, held_out=True, response_time_s=2 * one.response_time_s)
    fitted = [observation for observation in web.observations if not observation.held_out]
    known = replace(web, observations=[*fitted, slow])
    off = known.recorded["error"].to_list()
    assert off[1] == pytest.approx((1 + off[0]) / 2 - 1)
    (sentence,) = what_if.error_text(known)
    assert sentence.startswith("held-out runs (1): ") and format_percent(off[1]) in sentence
    assert what_if.error_text(replace(web, observations=fitted)) == []


def test_the_answer_is_the_headline_and_a_sentence(web):
    asked = what_if.scenarios(web)
    lines = what_if.what_if_key_figures(web, asked)
    target = lines[texts.capacity_name(web.target_s)]
    assert target.endswith(" /s")
    sentences, kind = what_if.headline(web, asked[0])
    assert target.removesuffix(" /s") in sentences[0]
    now = web.scenario().predict(web.load).response_time.value
    assert sentences[-1] == texts.todays_load("5/s even", now, is_met=True)
    # the small study has a single load: all others are extrapolated
    assert "outside the measured range (5 requests/s)" in sentences[1] and kind == "warning"


def test_the_picture_says_what_the_headline_says(web):
    """Before any script the sliders are at today's load and target."""
    asked = what_if.scenarios(web)
    chart = charts.what_if(
        list(what_if_curves.grid(web)), web.recorded, what_if_curves.chart_spec(web)
    )
    svg = charts.mime_bundle(chart)[0]["image/svg+xml"]
    shown = "\n".join(re.findall(r"<text[^>]*>([^<]+)</text>", svg))
    (passes,) = re.findall(r"R passes .* ms at (.*) requests/s, extrapolated", shown)
    assert passes == what_if.crossing_text(asked[0])


def test_the_measured_range_is_that_of_the_fitted_runs(web):
    fitted = [one.load.level for one in web.fitted]
    for row in what_if_curves.grid(web):
        assert (row["fitted_low"], row["fitted_high"]) == (min(fitted), max(fitted))
        assert row["size"] == sorted(row["size"])


def test_points_between_do_not_bend_the_curve(web):
    curve = what_if.scenarios(web)[0].curve
    between = float(curve.levels[2:4].mean())
    bent = what_if_curves.with_levels(curve, (between, 1e9))
    assert bent.levels.tolist() == sorted([*curve.levels, between])
    at = bent.levels.tolist().index(between)
    assert bent.response_s.value[at] == pytest.approx(curve.response_s.value[2:4].mean())
    assert bent.response_s.high.tolist().count(math.inf) == curve.response_s.high.tolist().count(
        math.inf
    )


@pytest.mark.parametrize(
    ("broken", "text", "sentence"),
    [
        (TargetCrossing(0.0, 0.0, 0.0), "missed at every load", "missed at every load"),
        (TargetCrossing(7.0, 5.0, 9.0), "7 (5 to 9)", "up to 7 \\(5 to 9\\) threads"),
        (TargetCrossing(7.0, 5.0, math.inf), "7 (5 or more)", "up to 7 \\(5 or more\\) threads"),
        (TargetCrossing(math.inf, math.inf, math.inf), "met up to 64", "is met up to 64 threads"),
    ],
)
def test_every_kind_of_break_is_told(db, broken, text, sentence):
    one = replace(what_if.scenarios(db)[0], crossing=broken)
    assert what_if.crossing_text(one) == text
    assert re.search(sentence, what_if.headline(db, one)[0][0])


@pytest.mark.parametrize(
    ("server", "virtual_server", "said"),
    [("third", "web", "no server .third. in small-study"), ("first", "mail", "no virtual server")],
)
def test_what_is_not_there_is_refused_and_what_is_there_told(raw, server, virtual_server, said):
    with pytest.raises(RawRunError, match=said):
        opened(raw, server, virtual_server)
    with pytest.raises(RawRunError, match="unknown study"):
        api.open_what_if("nothing", "first", "web", raw=raw)
