"""The two named sets: every choice as printed, and every choice corrected, on a recorded closed run."""

import pytest

from pipeline import bundle, ingest, ledger

STUDY, SERVER = "kvm-case-study", "first"
OFF = "service-demand / background off"


@pytest.fixture(scope="module")
def rows(root, tmp_path_factory):
    processed = tmp_path_factory.mktemp("sets")
    found = {}
    for name in ("db-16-a", "web-005-a", "both-005-16-a"):
        run = bundle.get(root / "data/raw", STUDY, SERVER, name)
        ingest.ingest([run], processed)
        for row in ledger.run_ledger(run, processed).iter_rows(named=True):
            found[name, row["virtual_server"], row["quantity"], row["reading"], row["subject"]] = (
                row
            )
    return found


def value(rows, run, name, quantity, reading=None):
    return rows[run, name, quantity, reading, None]["value"]


def mva(demands, customers):
    """Exact MVA in its textbook form, one line a step."""
    queues = [0.0] * len(demands)
    for n in range(1, customers + 1):
        times = [d * (1 + q) for d, q in zip(demands, queues, strict=True)]
        rate = n / sum(times)
        queues = [rate * t for t in times]
    return rate, times


def test_corrected_solves_a_closed_run_as_closed(rows):
    run, name = "db-16-a", "db"
    cpu = value(rows, run, name, "R_cpu", "background off")
    virtual = value(rows, run, name, "D_vdisk_req", OFF)
    physical = value(rows, run, name, "D_disk_req", OFF)
    rate, (r_cpu, r_disk, r_layer) = mva([cpu, physical, max(0, virtual - physical)], 16)
    assert value(rows, run, name, "X_req", "corrected") == pytest.approx(rate)
    assert value(rows, run, name, "R_cpu", "corrected") == pytest.approx(r_cpu)
    assert value(rows, run, name, "R_disk", "corrected") == pytest.approx(r_disk)
    assert value(rows, run, name, "R_vdisk", "corrected") == pytest.approx(r_disk + r_layer)
    assert value(rows, run, name, "R_req", "corrected") == pytest.approx(16 / rate)
    assert rows[run, name, "R_req", "corrected", None]["equation"] == "MVA"


def test_corrected_solves_an_open_run_as_open(rows):
    run, name = "web-005-a", "web"
    parts = [
        value(rows, run, name, "R_cpu", "background off"),
        *(
            value(rows, run, name, f"R_{disk}", "service-demand / total / background off")
            for disk in ("vdisk", "disk")
        ),
    ]
    assert value(rows, run, name, "R_req", "corrected") == pytest.approx(parts[0] + max(parts[1:]))


@pytest.mark.parametrize(("run", "name"), [("web-005-a", "web"), ("db-16-a", "db")])
def test_as_printed_is_every_choice_as_the_paper_prints_it(rows, run, name):
    for quantity, reading in (
        ("R_cpu", "background kept"),
        ("R_vdisk", "as-printed / own / background kept"),
        ("R_disk", "as-printed / own / background kept"),
        ("R_req", "as-printed / own / background kept / sum"),
        ("X_req", None),
    ):
        assert value(rows, run, name, quantity, "as-printed") == value(
            rows, run, name, quantity, reading
        )


def test_a_closed_model_says_whose_load_it_leaves_out(rows):
    alone = rows["db-16-a", "db", "R_req", "corrected", None]["flags"] or ""
    together = rows["both-005-16-a", "db", "R_req", "corrected", None]["flags"] or ""
    assert "load on web" not in alone
    assert "load on web" in together


def test_both_disks_work_at_sixteen_threads(rows):
    for disk in ("vdisk", "disk"):
        assert value(rows, "db-16-a", "db", f"U_{disk}_total", "background kept") >= 0.2


def test_the_second_witness_agrees_on_cpu_time(rows):
    """top's TIME+ and the kernel's counters are read at moments up to a tick apart."""
    for run, name in (("web-005-a", "web"), ("db-16-a", "db")):
        seen = value(rows, run, name, "T_cpu", "background kept")
        counted = value(rows, run, name, "T_cpu_witness", "task counters")
        assert seen == pytest.approx(counted, rel=0.05)


def test_every_row_says_where_it_is_from(rows):
    for row in rows.values():
        assert row["unit"] and row["source"] and row["equation"]
        assert row["value"] is not None or row["flags"]
        if row["low"] is not None and row["high"] is not None:
            assert row["low"] <= row["value"] <= row["high"]
