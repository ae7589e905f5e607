"""Simulated hosts of a class."""

import csv
import hashlib
import json

import polars as pl
import pytest

from pipeline.course import hosts
from pipeline.course.host_plan import (
    FIRST,
    RAW_RUNS,
    SECOND,
    RunNameError,
    draw_host,
    parse_run_name,
)
from pipeline.course.hosts import HostError, write_class, write_host
from pipeline.course.run_columns import OF_LEDGER, UNITS
from pipeline.course.runs import FILE, run_rows, runs_table
from pipeline.course.simulated_rows import simulated_rows
from pipeline.raw import read_study
from pipeline.synthetic.plan import Load

pytestmark = pytest.mark.xdist_group("hosts")

FEW = [(FIRST, "web-005-a"), (FIRST, "db-01-sweep"), (SECOND, "web-016-even-2")]
"""Runs of a host that is quickly made: with logs, and without."""


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_run_without_logs_has_the_numbers_that_its_logs_would_have(known):
    """Both ways from one simulated run: through logs, tables and ledger; from the simulation alone."""
    (through_logs,) = (r for r in run_rows(known.run, known.processed) if r["lambda_total"])
    (alone,) = (r for r in simulated_rows(known.history, "known") if r["lambda_total"])
    # top loses what the web server's processes used before they exited: the plan of this run has turnover
    cut = {
        name for name, c in OF_LEDGER.items() if c.quantity in ("T_cpu", "R_cpu", "U_vcpu", "R_req")
    }
    counted = {"lambda_total", "lambda_server_log", "threads", "rate_per_s", "R_variants", "R_client_s"}  # fmt: skip
    for name in OF_LEDGER | dict.fromkeys(counted):
        assert (alone[name] is None) == (through_logs[name] is None), name
        exact = 0.5e-3 if name in counted else 0.2 if name in cut else 0.03
        assert alone[name] == pytest.approx(through_logs[name], rel=exact, abs=2e-4), name
    assert alone["arrivals"] == through_logs["arrivals"]
    assert alone["T_cpu_boot_s"] is alone["dispersion"] is alone["guest_ticks"] is None


def test_the_name_of_a_run_says_its_load():
    assert parse_run_name("web-026-poisson-3") == ({"web": Load(rate_per_s=26.0, arrivals_scv=1.0)}, 3)  # fmt: skip
    assert parse_run_name("db-16-b") == ({"db": Load(threads=16)}, 2)
    assert parse_run_name("db-32-sweep-7") == ({"db": Load(threads=32)}, 7)
    loads, repetition = parse_run_name("both-005-16-a")
    assert loads == {"web": Load(rate_per_s=5.0, arrivals_scv=0.0), "db": Load(threads=16)}
    assert repetition == 1
    with pytest.raises(RunNameError, match="web-fast"):
        parse_run_name("web-fast")


def test_every_run_that_a_lesson_names_can_be_simulated():
    runs = hosts.lesson_runs()
    assert set(RAW_RUNS) < set(runs)
    assert all(parse_run_name(run)[0] for _, run in runs)


def test_repetitions_differ_and_hosts_differ():
    host = draw_host(7)
    names = [f"web-026-even-{number}" for number in range(2, 7)]
    cpu_times = [host.plan(SECOND, name).servers[SECOND].cpu_times for name in names]
    assert len(set(cpu_times)) == len(names)
    pair = host.plan(SECOND, "web-026-poisson-2").servers[SECOND].cpu_times
    assert pair == pytest.approx(cpu_times[0], rel=0.4)
    assert draw_host(7) == host
    assert len({draw_host(seed).web.cpu_s for seed in range(20)}) == 20


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "host-01"
    return folder, write_host(folder, 7, FEW)


def test_a_host_is_a_study_with_the_runs_of_the_lessons(host, tmp_path):
    folder, _ = host
    assert read_study(folder).problems() == []
    (run,) = read_study(folder).runs()
    assert run.problems() == []
    frame = runs_table("host-01", folder.parent, tmp_path)
    assert set(frame.select("server", "run").rows()) == set(FEW)
    assert frame.height == 2 * len(FEW)
    loaded = frame.drop_nulls("lambda_total")
    assert loaded.filter(run="web-005-a")["R_median_s"].null_count() == 0
    assert loaded.filter(run="web-016-even-2")["R_median_s"].null_count() == 1
    assert loaded.select(pl.col("R_cpu_s", "D_vdisk_net_s", "R_client_s") > 0).to_series().all()
    assert set(frame.columns[3:]) == set(UNITS)


def test_the_folder_that_is_handed_out_has_no_truth(host):
    folder, truth = host
    demands = {f"{value:g}" for value in (truth["virtual_servers"]["web"]["cpu_s"], truth["seed"])}
    for path in folder.rglob("*"):
        assert "truth" not in path.name
        if path.suffix in (".json", ".log") and path.is_file():
            text = path.read_text()
            assert "cpu_s" not in text, path
            assert f"seed ({truth['seed']})" not in text, path
    assert len(demands) == 2
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size < 1.5e6 / len(RAW_RUNS) + 1e5


def test_the_truth_is_what_the_lesson_estimates(host):
    folder, truth = host
    frame = pl.read_parquet(folder / FILE)
    (row,) = frame.filter(run="web-005-a").drop_nulls("lambda_total").iter_rows(named=True)
    stations = truth["runs"]["first/web-005-a"]["virtual_servers"]["web"]["stations"]
    assert row["D_disk_net_s"] == pytest.approx(stations["disk"]["realised_s"], rel=0.25)
    assert row["R_cpu_net_s"] == pytest.approx(stations["cpu"]["realised_s"], rel=0.1)


def test_the_same_seed_writes_the_same_bytes(host, tmp_path):
    folder, truth = host
    assert write_host(tmp_path / folder.name, 7, FEW) == truth
    assert contents(tmp_path / folder.name) == contents(folder)


def test_the_number_of_workers_changes_nothing(tmp_path):
    names = [" Ada", "", '=1+1, "x"']
    lists = [
        write_class(names, tmp_path / f"out-{n}", tmp_path / f"teacher-{n}", 3, workers=n, runs=FEW[2:])
        for n in (1, 2)
    ]  # fmt: skip
    assert contents(tmp_path / "out-1") == contents(tmp_path / "out-2")
    assert contents(tmp_path / "teacher-1") == contents(tmp_path / "teacher-2")
    with lists[0].open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["name", "host"], ["Ada", "host-01"], ['=1+1, "x"', "host-02"]]
    truths = [json.loads(path.read_text()) for path in sorted((tmp_path / "teacher-1/truth").iterdir())]  # fmt: skip
    assert len({truth["virtual_servers"]["db"]["cpu_s"] for truth in truths}) == 2


def test_a_class_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(HostError, match="no names"):
        write_class([" "], tmp_path / "out", tmp_path / "teacher", 1)
    with pytest.raises(HostError, match="more than once"):
        write_class(["Ada", "Ada "], tmp_path / "out", tmp_path / "teacher", 1)
    with pytest.raises(HostError, match="handed out"):
        write_class(["Ada"], tmp_path / "out", tmp_path / "out" / "teacher", 1)
    (tmp_path / "out" / "host-01").mkdir(parents=True)
    with pytest.raises(HostError, match="not empty"):
        write_class(["Ada"], tmp_path / "out", tmp_path / "teacher", 1)
    assert not (tmp_path / "teacher").exists()
    with pytest.raises(HostError, match="valid name"):
        write_host(tmp_path / "host 1", 1)
