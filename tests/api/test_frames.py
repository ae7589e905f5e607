"""Frames that answer an analyst's questions: writers, warnings, response times, two runs, Tables I and II."""

import json
import shutil

import polars as pl
import pytest
from two_servers import open_two_servers

import pipeline as qv
from pipeline import ingest
from pipeline.api.compare import KEYS, RUN_COMPARISON, compare_runs
from pipeline.api.run import WARNINGS
from pipeline.api.runs import RESPONSE_TIMES
from pipeline.api.writers import WRITERS
from pipeline.ingest import ensure_ingested
from pipeline.raw import HOST


@pytest.fixture(scope="module")
def run(known) -> qv.RunData:
    return qv.open_run(known.run.path, processed=known.processed)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> qv.StudyData:
    return open_two_servers(tmp_path_factory.mktemp("two"))


# -- writers -----------------------------------------------------------------------------------------------


def test_bytes_of_a_server_are_those_of_equation_7(run):
    vs = run.loaded[0]
    for role, disk in ((vs.role, "vdisk"), (HOST, "disk")):
        frame = run.top_writers(role)
        assert frame.schema == WRITERS
        own = frame.filter(pl.col("virtual_server") == vs.name)
        total = own["written_bytes"].sum() + own["read_bytes"].sum()
        assert total == pytest.approx(
            run.counters(vs.name).increase(f"{disk}_bytes").value, rel=1e-9
        )
        assert frame["written_bytes"].to_list() == sorted(frame["written_bytes"], reverse=True)
        is_written = frame["written_bytes"].sum() > 0
        assert frame["share"].null_count() == (0 if is_written else frame.height)
    with pytest.raises(qv.Error, match="nobody"):
        run.top_writers("nobody")


IOTOP = """\
#T {at} {mono} {seq} {boot_id}
Total DISK READ:         0.00 K/s | Total DISK WRITE:        84.00 K/s
Current DISK READ:       0.00 K/s | Current DISK WRITE:      84.00 K/s
    TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND
     11 be/4 mysql       0.00 K/s   40.00 K/s  0.00 %  0.00 % mariadbd
     12 be/4 mysql       0.00 K/s   20.00 K/s  0.00 %  0.00 % {name}
     13 be/4 mysql       0.00 K/s   10.00 K/s  0.00 %  0.00 % [mariadbd]
     21 be/4 root        0.00 K/s    5.00 K/s  0.00 %  0.00 % python3 -E -s -S -B /var/tmp/x/collectors/sampler.py start
     22 be/4 root        0.00 K/s    4.00 K/s  0.00 %  0.00 % [jbd2/vda-8]
     23 be/4 root        0.00 K/s    3.00 K/s  0.00 %  0.00 % /usr/sbin/iotop -b
     24 be/4 root        0.00 K/s    2.00 K/s  0.00 %  0.00 % /opt/<script> --agent
"""


def test_threads_count_for_their_process_and_collectors_are_marked(known, tmp_path):
    folder = tmp_path / "lab" / "box" / "own"
    shutil.copytree(known.run.path, folder)
    manifest = json.loads((folder / "run.json").read_text())
    name = known.run.run
    manifest["virtual_servers"][name]["server_processes"] = "^mariadbd$"
    (folder / "run.json").write_text(json.dumps(manifest))
    offset = known.run.clock_offset_ns(known.server.role)
    window = known.run.window
    ids = (known.run.study, known.run.server, known.run.run, known.server.role)
    clock = ingest.load("iotop_totals", known.processed, *ids).row(0, named=True)
    booted_ns = clock["time"].timestamp() * 1e9 - clock["monotonic_ns"]
    lines = []
    for seq in range(1, 48):
        at = window.start_ns - 2_000_000_000 + seq * 1_000_000_000 + offset
        thread = "mariadbd [iou-wrk-12]" if seq < 20 else "{no such process}"
        lines.append(
            IOTOP.format_map(
                {
                    "at": at,
                    "mono": round(at - booted_ns),
                    "seq": seq,
                    "boot_id": clock["boot_id"],
                    "name": thread,
                }
            )
        )
    (folder / known.server.role / "iotop.log").write_text("".join(lines) + "#END stopped\n")
    run = qv.open_run(folder, processed=tmp_path / "processed")
    frame = run.top_writers(known.server.role)
    rows = {row["process"]: row for row in frame.iter_rows(named=True)}
    # without task counters, a task whose command line is gone is no server's (as in equation 7)
    assert list(rows) == [
        "mariadbd", "[mariadbd]", "python3", "[jbd2/vda-8]", "iotop", "<script>",
    ]  # fmt: skip
    collectors = [process for process, row in rows.items() if row["is_collector"]]
    assert collectors == ["python3", "iotop"]
    assert (rows["mariadbd"]["tasks"], rows["mariadbd"]["virtual_server"]) == (2, name)
    assert rows["[mariadbd]"]["virtual_server"] is None
    seconds = window.duration_s
    for process, kib_per_s in (("mariadbd", 60), ("python3", 5), ("<script>", 2)):
        expected = kib_per_s * 1024 * seconds
        assert rows[process]["written_bytes"] == pytest.approx(expected, rel=2.5 / seconds)
    assert rows["mariadbd"]["share"] == pytest.approx(60 / 84)


# -- warnings ----------------------------------------------------------------------------------------------


def test_warnings_are_the_flags_of_the_ledger_a_row_each(run):
    frame = run.warnings
    assert frame.schema == WARNINGS
    assert frame.height == run.ledger["flags"].list.len().fill_null(0).sum()
    flagged = run.ledger.filter(pl.col("flags").list.len() > 0)
    assert frame["flag"].to_list() == [flag for flags in flagged["flags"] for flag in flags]
    assert set(frame["quantity"]) == set(flagged["quantity"])


# -- response times ----------------------------------------------------------------------------------------


def test_response_times_are_the_ledger_s_for_every_load(two):
    frame = two.response_times
    assert frame.schema == RESPONSE_TIMES
    assert frame.height == two.runs.height == 8
    assert frame["level"].to_list() == [20, 20, 30, 30] * 2
    for server, run, response_ms, rate in frame.select(
        "server", "run", "R_client_ms", "X_client_per_s"
    ).iter_rows():
        ledger = two[f"{server}/{run}"].ledger
        assert response_ms == 1e3 * qv.value_of(ledger, "web", "R_client")
        assert rate == qv.value_of(ledger, "web", "X_client")


def test_a_load_without_its_client_s_log_is_null_with_the_reason(known, tmp_path):
    shutil.copytree(known.run.path.parents[1], tmp_path / "known")
    log = known.run.client_log(known.run.run)
    (tmp_path / "known" / "first" / known.run.run / log.name).unlink()
    study = qv.open_study(tmp_path / "known", processed=tmp_path / "processed")
    (row,) = study.response_times.iter_rows(named=True)
    assert row["R_client_ms"] is row["X_client_per_s"] is None and row["flags"]


# -- two runs, two servers ---------------------------------------------------------------------------------


def test_two_runs_side_by_side(two):
    names = [two.runs.filter(pl.col("server") == s)["run"][0] for s in ("first", "second")]
    a, b = (two[f"{s}/{n}"] for s, n in zip(("first", "second"), names, strict=True))
    frame = two.compare(f"first/{names[0]}", f"second/{names[1]}")
    assert frame.schema == RUN_COMPARISON
    assert frame.select(KEYS).is_duplicated().sum() == 0
    rows = [run.ledger.filter(pl.col("subject").is_null()).height for run in (a, b)]
    assert frame.height == max(rows)
    assert frame["a"].drop_nulls().len() == a.ledger.filter(
        pl.col("subject").is_null() & pl.col("value").is_not_null()
    ).height  # fmt: skip
    cpu = frame.filter(quantity="D_qemu", background="off").row(0, named=True)
    assert cpu["b"] == qv.value_of(b.ledger, "web", "D_qemu", "corrected")
    assert cpu["ratio"] == cpu["b"] / cpu["a"] == pytest.approx(2.0, rel=0.25)


def test_two_runs_of_other_virtual_servers_have_no_ratio(known, two):
    other = qv.open_run(known.run.path, processed=known.processed)
    if known.run.run == "web":
        pytest.skip("both are runs of a web server")
    frame = compare_runs(other, two["first/" + two.runs["run"][0]])
    both = frame.drop_nulls(["a", "b"])
    assert set(both["virtual_server"]) <= {"web"}
    assert frame.filter(virtual_server="db")["ratio"].null_count() == frame.filter(
        virtual_server="db"
    ).height  # fmt: skip


def test_two_servers_are_compared_by_their_ratio(two):
    frame = two.compare("first", "second")
    assert frame.equals(two.server_ratio("first", "second"))
    for a, b in (("first", "secnd"), ("first", "second/low-a")):
        with pytest.raises(qv.Error, match="choose from second, first"):
            two.compare(a, b)


# -- Tables I and II ---------------------------------------------------------------------------------------


def test_the_paper_s_tables_of_every_server_go_to_a_file(two, tmp_path):
    frame = two.tables()
    assert frame["server"].unique(maintain_order=True).to_list() == ["first", "second"]
    printed = frame.filter(server="second", source="published")
    assert printed["R_cpu (ms)"][0] == 3.65, "Table II, web server"
    row = frame.filter(pl.col("source").str.contains("as-printed"), server="first")
    run = two.case_study_runs["first", "web"]
    assert row["R_cpu (ms)"][0] == 1e3 * qv.value_of(run.ledger, "web", "R_cpu", "as-printed")
    for suffix in ("csv", "tex", "xlsx"):
        qv.write_frame(frame, tmp_path / f"tables.{suffix}")
    assert pl.read_csv(tmp_path / "tables.csv").equals(frame)
    assert r"R\_cpu (ms)" in (tmp_path / "tables.tex").read_text()


def test_nothing_is_ingested_before_it_is_used(two, tmp_path):
    study = qv.open_study(two.study.path, processed=tmp_path / "none")
    assert study.runs.height == 8 and not (tmp_path / "none").exists()
    ensure_ingested(study.study.runs("first")[:1], tmp_path / "none")
    assert study.runs["warnings"].null_count() == 7
