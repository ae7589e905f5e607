"""The page on published studies: its verdicts have the numbers of the analysis, each with an interval or a reason."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.evaluate import published_studies
from pipeline.report import study_texts
from pipeline.report.tables import published_studies as tables

RAW = Path(__file__).resolve().parents[2] / "data" / "raw"


@pytest.fixture(scope="module")
def data() -> tables.PublishedStudies:
    return tables.PublishedStudies(RAW)


def test_the_answers_come_first_with_their_numbers(data):
    kvm, native, printed = tables.headline(data)
    assert "205 %" in kvm
    assert "about 0.18 ms" in kvm
    assert "1.76 times" in native
    assert "4 of 22" in printed
    figures = tables.key_figures(data)
    assert figures["MySQL under KVM: limiting station, 290 threads (95 %)"].startswith("0.176 ms (")
    assert figures["MySQL under KVM: CPU utilization, 290 threads"] == "48 %"
    assert figures["KVM / native: performance, by benchmark"] == "0.26 to 0.999"


def test_each_throughput_is_drawn_with_the_models_of_its_platform(data):
    kvm = tables.df_throughput(data, "kvm")
    native = tables.df_throughput(data, "native")
    measured = kvm.filter("is_measured")
    assert measured.height == 15
    assert (measured["low"] < measured["value"]).all()
    assert kvm.filter(~pl.col("is_measured"))["source"].unique(maintain_order=True).to_list() == [
        study_texts.CPU_ALONE,
        study_texts.SINGLE_SERVER,
        study_texts.RISING_RATE,
    ]
    assert native.filter(~pl.col("is_measured"))["source"].n_unique() == 2


def test_no_station_needs_more_than_the_bound(data):
    frame = tables.df_stations(data, "kvm")
    rising, single, bound = frame.iter_rows(named=True)
    assert rising["low_ms"] < rising["demand_ms"] < rising["high_ms"]
    assert bound["high_ms"] == pytest.approx(1e3 / 5642.963)
    assert rising["demand_ms"] < bound["high_ms"] < single["low_ms"]


def test_the_station_predicts_levels_that_it_was_not_fitted_to(data):
    assert data.extrapolation_error < 0.02


def test_a_rise_has_the_interval_of_its_throughputs(data):
    rise, low, high = published_studies.demand_rise(data.mysql["native"])
    assert low < rise < high
    # t(9) = 2.262; relative standard errors 36.584 / 3394.456 and 31.913 / 13007.549, each over √10
    half = 2.262157 * ((36.584 / 3394.456) ** 2 + (31.913 / 13007.549) ** 2) ** 0.5 / 10**0.5
    assert high / rise - 1 == pytest.approx(half, rel=0.01)


def test_what_to_record_names_what_the_collectors_have():
    frame = tables.df_recordings()
    where = frame["where"].to_list()
    assert sum(text.startswith("not recorded") for text in where) == 2
    assert sum("tasks.log" in text for text in where) == frame.height - 2


def test_the_cpu_demand_depends_on_the_load(data):
    native, kvm = tables.df_demand_and_rate(data).iter_rows(named=True)
    assert (native["platform"], native["measured"], native["verdict"]) == (
        "bare machine",
        "+76 %",
        "refuted",
    )
    assert (kvm["platform"], kvm["measured"], kvm["verdict"]) == ("KVM guest", "+20 %", "refuted")
