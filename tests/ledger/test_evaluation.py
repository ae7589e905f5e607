"""The two named sets: every choice as printed, and every choice corrected, on a recorded closed run."""

import polars as pl
import pytest

from pipeline import ingest, ledger
from pipeline.ledger.lookup import LedgerView
from pipeline.raw import find_run

STUDY, SERVER = "kvm-case-study", "first"
OFF = {"demand": "service-demand", "background": "off"}


@pytest.fixture(scope="module")
def runs(root, tmp_path_factory):
    processed = tmp_path_factory.mktemp("sets")
    found = {}
    for name in ("db-16-a", "web-005-a", "both-005-16-a"):
        run = find_run(root / "data/raw", STUDY, SERVER, name)
        ingest.ingest([run], processed)
        found[name] = ledger.run_ledger(run, processed)
    return found


def numbers(runs, run, name) -> LedgerView:
    return LedgerView(runs[run], name)


def mva(demands, customers):
    """Exact MVA in its textbook form, one line a step."""
    queues = [0.0] * len(demands)
    for n in range(1, customers + 1):
        times = [d * (1 + q) for d, q in zip(demands, queues, strict=True)]
        rate = n / sum(times)
        queues = [rate * t for t in times]
    return rate, times


def test_corrected_solves_a_closed_run_as_closed(runs):
    found = numbers(runs, "db-16-a", "db")
    cpu = found.value("R_cpu", background="off")
    virtual, physical = (found.value(f"D_{disk}_req", **OFF) for disk in ("vdisk", "disk"))
    rate, (r_cpu, r_disk, r_layer) = mva([cpu, physical, max(0, virtual - physical)], 16)
    assert found.value("X_req", "corrected") == pytest.approx(rate)
    assert found.value("R_cpu", "corrected") == pytest.approx(r_cpu)
    assert found.value("R_disk", "corrected") == pytest.approx(r_disk)
    assert found.value("R_vdisk", "corrected") == pytest.approx(r_disk + r_layer)
    assert found.value("R_req", "corrected") == pytest.approx(16 / rate)
    assert found.row("R_req", "corrected")["equation"] == "MVA"


def test_corrected_solves_an_open_run_as_open(runs):
    found = numbers(runs, "web-005-a", "web")
    cpu, virtual, physical = (
        found.value(symbol, "corrected") for symbol in ("R_cpu", "R_vdisk", "R_disk")
    )
    assert found.value("R_req", "corrected") == pytest.approx(cpu + max(virtual, physical))
    assert found.row("R_vdisk", "corrected")["denominator"] == "total"


@pytest.mark.parametrize(("run", "name"), [("web-005-a", "web"), ("db-16-a", "db")])
def test_as_printed_is_every_choice_as_the_paper_prints_it(runs, run, name):
    rows = runs[run].filter(
        (pl.col("virtual_server") == name) & (pl.col("variant") == "as-printed")
    )
    for column, choice in (
        ("demand", "as-printed"),
        ("denominator", "own"),
        ("background", "kept"),
        ("sum", "sum"),
    ):
        assert set(rows[column].drop_nulls()) == {choice}
    assert {"R_cpu", "R_vdisk", "R_disk", "R_req", "error_R"} <= set(rows["quantity"])


def test_background_off_is_the_increase_less_the_idle_rate(runs):
    """QEMU's time is no exception: its demand is that of the requests alone."""
    found = numbers(runs, "web-005-a", "web")
    kept, off = (found.value("D_qemu", background=one) for one in ("kept", "off"))
    assert kept == pytest.approx(0.026117, rel=1e-4)
    assert off == pytest.approx(0.013651, rel=1e-4)
    assert found.value("D_qemu", "corrected") == off


def test_a_closed_model_says_whose_load_it_leaves_out(runs):
    alone = numbers(runs, "db-16-a", "db").row("R_req", "corrected")["flags"] or ()
    together = numbers(runs, "both-005-16-a", "db").row("R_req", "corrected")["flags"]
    assert not any("load on web" in flag for flag in alone)
    assert any("load on web" in flag for flag in together)


def test_both_disks_work_at_sixteen_threads(runs):
    for disk in ("vdisk", "disk"):
        found = numbers(runs, "db-16-a", "db").value(f"U_{disk}_total", background="kept")
        assert found >= 0.2


def test_the_second_source_agrees_on_cpu_time(runs):
    """top's TIME+ and the kernel's counters are read at moments up to a tick apart."""
    for run, name in (("web-005-a", "web"), ("db-16-a", "db")):
        found = numbers(runs, run, name)
        seen = found.value("T_cpu", background="kept")
        assert seen == pytest.approx(found.value("T_cpu_kernel"), rel=0.05)


def test_every_row_says_where_it_is_from(runs):
    for frame in runs.values():
        for row in frame.iter_rows(named=True):
            assert row["unit"] and row["source"] and row["equation"]
            assert row["value"] is not None or row["flags"]
            assert (row["interval"] == "resolution") == (row["low"] is not None)
            if row["low"] is not None and row["high"] is not None:
                assert row["low"] <= row["value"] <= row["high"]
