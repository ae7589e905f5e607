"""Ledger D = demands D = the number on the page, for the whole case study and a double load."""

import polars as pl
import pytest

from pipeline import api
from pipeline.course.run_columns import LedgerQuantities, row_of
from pipeline.demands.host_cpu import estimate_host_cpu
from pipeline.demands.service_demand import QUANTITIES, estimate_demands
from pipeline.measure.virtual_server import STATIONS, RunCounters
from pipeline.report import tables
from pipeline.units import format_short


def demand_rows(ledger: pl.DataFrame, virtual_server: str) -> dict[str, float | None]:
    """Station → the ledger's demand: background off, by user requests."""
    off = ledger.filter(
        (pl.col("virtual_server") == virtual_server)
        & (pl.col("background") == "off")
        & (pl.col("demand").is_null() | (pl.col("demand") == "service-demand"))
        & (pl.col("equation") != "MVA")
    )
    return {
        station: off.filter(pl.col("quantity") == quantity)["value"].item()
        for station, quantity in QUANTITIES.items()
    }


def test_the_case_study_and_a_double_load_are_here(runs):
    assert {(d.run.server, len(d.loaded)) for d in runs} == {
        ("first", 1),
        ("second", 1),
        ("second", 2),
    }
    assert len(runs) == 5


def test_the_ledgers_demand_is_that_of_the_demands(runs):
    for data in runs:
        for vs in data.loaded:
            counters = RunCounters(data.run, vs, data.processed)
            found = estimate_demands(counters, draws=20)
            rows = demand_rows(data.ledger, vs.name)
            assert set(rows) == set(found.demands) == set(STATIONS)
            for station, value in rows.items():
                assert found.demands[station].value_s == value, (data.run.id, vs.name, station)
            assert estimate_host_cpu(counters, draws=20).demands["qemu"].value_s == pytest.approx(
                rows["host_cpu"], rel=1e-12
            )


def test_the_page_shows_the_same_demand(runs):
    for data in runs:
        shown = tables.df_side_by_side(data)
        for vs in data.loaded:
            rows = demand_rows(data.ledger, vs.name)
            own = shown
            if "virtual_server" in shown.columns:
                own = shown.filter(pl.col("virtual_server") == vs.name)
            for station in ("guest_cpu", "vdisk", "disk"):
                text = own.filter(pl.col("quantity") == QUANTITIES[station])["corrected"].item()
                assert text.split(" ")[0] == format_short(rows[station] * 1e3, 4), (
                    data.run.id,
                    station,
                )
            seen = tables.df_host_cpu(api.host_cpu_demand(data, vs.name))
            assert seen["per_request_ms"][0] == pytest.approx(rows["host_cpu"] * 1e3, rel=1e-12)


def test_a_lesson_asks_for_the_same_demand(runs):
    """The lessons keep the background: D of their runs table is the ledger's row that keeps it, too."""
    for data in runs:
        for vs in data.loaded:
            columns = row_of(LedgerQuantities(data.ledger, vs.name), None)
            kept = data.ledger.filter(
                (pl.col("virtual_server") == vs.name)
                & (pl.col("background") == "kept")
                & (pl.col("demand") == "service-demand")
            )
            for disk in ("vdisk", "disk"):
                row = kept.filter(pl.col("quantity") == f"D_{disk}_req")
                assert columns[f"D_{disk}_s"] == row["value"].item()


def test_without_the_share_on_a_disk_of_ones_own(runs):
    """docs/decisions/0008: no other virtual server uses these disks, so iotop's share is shown and not used."""
    for data in runs:
        shares = data.ledger.filter(pl.col("quantity").is_in(["share_vdisk", "share_disk"]))
        assert shares.filter(pl.col("demand") == "service-demand")["value"].unique().to_list() == [
            1
        ]
        printed = shares.filter(pl.col("variant") == "as-printed")["value"]
        assert printed.null_count() == 0 and (printed != 1).all()
