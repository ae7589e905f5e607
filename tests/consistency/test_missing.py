"""What was not measured is missing and never zero, and damage is loud: one recorded run, damaged in every way."""

import json

import polars as pl
import pytest
from recorded_run import RUN, SERVER, STUDY, RecordedRun, copy_run

from pipeline import api, ingest
from pipeline.evaluate.single_run import model_usable
from pipeline.ledger import run_ledger
from pipeline.quality.assess import FLAG_PREFIX, check_run, flag_failed_checks
from pipeline.quality.check import FAILED
from pipeline.raw import find_run, find_studies
from pipeline.report import tables

YEAR_NS = 365 * 86_400 * 10**9


def measure(copy: RecordedRun) -> tuple[list[str], pl.DataFrame, pl.DataFrame]:
    """Problems of ingesting the run, the ledger with its flags, and the checks."""
    study = find_studies(copy.raw)[0]
    run = find_run(copy.raw, STUDY, SERVER, RUN)
    rows = ingest.ingest([run], copy.processed)
    ledger = run_ledger(run, copy.processed)
    checks = check_run(run, study, copy.processed, ledger)
    problems = rows["problems"].explode().drop_nulls().to_list()
    return problems, flag_failed_checks(ledger, checks), checks


@pytest.fixture
def copy(root, tmp_path) -> RecordedRun:
    return copy_run(root, tmp_path)


def is_flagged_or_missing(ledger: pl.DataFrame, quantity: str, text: str) -> bool:
    """Whether every number of the web server by that name is missing or has a flag of a failed check with ``text``."""
    rows = ledger.filter((pl.col("virtual_server") == "web") & (pl.col("quantity") == quantity))
    assert rows.height and rows.filter(pl.col("value").is_null())["flags"].null_count() == 0
    shown = rows.filter(pl.col("value").is_not_null())
    marks = shown["flags"].list.join("; ").fill_null("")
    return marks.str.contains(f"{FLAG_PREFIX}{text}", literal=True).all()


def test_an_undamaged_run_has_no_problem(copy):
    problems, ledger, checks = measure(copy)
    assert problems == []
    assert checks.filter(pl.col("check").str.starts_with("recording"))["result"].to_list() == [
        "passed"
    ]
    assert not is_flagged_or_missing(ledger, "T_qemu", "")
    assert model_usable(checks, "web").answer == "yes"


@pytest.mark.parametrize(
    ("log", "marked"),
    [
        ("web/top.log.zst", "T_cpu"),
        ("host/tasks.log.zst", "T_qemu"),
        ("host/block.log.zst", "T_disk"),
    ],
)
def test_a_log_that_is_cut_off_is_named_and_flagged(copy, log, marked):
    copy.cut(log)
    for command in ("ingest", "ledger"):
        done = copy.queuevisor(command)
        assert done.returncode == 1, command
        (said, *_) = [line for line in done.stderr.splitlines() if line.startswith("queuevisor:")]
        assert f"{STUDY}/{SERVER}/{RUN}: {log}: " in said
    _, ledger, checks = measure(copy)
    named = checks.filter(pl.col("check") == f"recording: {log}")
    assert named["result"].to_list() == [FAILED]
    assert is_flagged_or_missing(ledger, marked, log)
    assert model_usable(checks, "web").answer != "yes"


def test_a_log_without_its_end_is_damaged_even_if_it_can_be_unpacked(copy):
    import zstandard

    path = copy.run / "web/block.log.zst"
    text = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    path.unlink()
    (copy.run / "web/block.log").write_bytes(text[: len(text) // 2])
    problems, _, checks = measure(copy)
    assert problems[0] == "web/block.log: no #END line: the recording is truncated"
    assert all(problem.startswith("web/block.log: its snapshots cover") for problem in problems[1:])
    assert model_usable(checks, "web").answer != "yes"


@pytest.mark.parametrize("ticks", [200, 50])
def test_clock_ticks_that_the_kernel_did_not_count_are_contradicted(copy, ticks):
    copy.change("host/facts.json", clock_ticks_per_s=ticks)
    problems, ledger, checks = measure(copy)
    (said,) = problems
    assert said.startswith(f"host/facts.json: clock_ticks_per_s is {ticks}, but tasks.log counted")
    for quantity in ("T_qemu", "U_qemu"):
        assert is_flagged_or_missing(ledger, quantity, "host/facts.json")
    assert model_usable(checks, "web").answer == "no"
    assert copy.queuevisor("ingest").returncode == 1


@pytest.mark.parametrize("ticks", ["0", "1e400", "-100", '"100"', "true"])
def test_clock_ticks_that_cannot_be_are_missing_and_so_are_their_dependents(copy, ticks):
    path = copy.run / "host/facts.json"
    path.write_text(
        path.read_text().replace('"clock_ticks_per_s": 100', f'"clock_ticks_per_s": {ticks}')
    )
    problems, ledger, checks = measure(copy)
    assert [p for p in problems if p.startswith("host/facts.json: clock_ticks_per_s ")]
    lost = ledger.filter(pl.col("quantity").is_in(["T_qemu", "U_qemu"]))
    assert lost["value"].null_count() == lost.height > 0
    assert lost["flags"].null_count() == 0, "a missing number says why"
    assert model_usable(checks, "web").answer == "no"
    assert copy.queuevisor("ingest").returncode == 1


def test_cpus_that_the_kernel_did_not_count_are_contradicted(copy):
    copy.change("web/facts.json", cpus=4)
    problems, _, checks = measure(copy)
    assert problems == ["web/facts.json: cpus is 4, but tasks.log has counters of 1 CPUs"]
    assert model_usable(checks, "web").answer == "no"


def test_a_window_without_a_snapshot_is_named_and_gives_no_number(copy):
    window = json.loads((copy.run / "run.json").read_text())["window"]
    moved = {key: at + YEAR_NS for key, at in window.items()}
    copy.change("run.json", window=moved)
    copy.change("run.json", virtual_servers__web__workload__start_ns=moved["start_ns"],
                 virtual_servers__web__workload__end_ns=moved["end_ns"])  # fmt: skip
    problems, ledger, checks = measure(copy)
    assert [p for p in problems if p.startswith("run.json: window has no snapshot of host")]
    assert [p for p in problems if p.startswith("run.json: window has no snapshot of web")]
    for quantity in ("T_cpu", "T_disk", "T_vdisk", "T_qemu", "R_req"):
        rows = ledger.filter(pl.col("quantity") == quantity)
        assert rows["value"].null_count() == rows.height > 0, quantity
    assert model_usable(checks, "web").answer == "no"
    assert copy.queuevisor("ledger").returncode == 1


@pytest.mark.parametrize("offset_ns", [10 * 10**9, -10 * 10**9])
def test_an_offset_that_is_not_small_against_the_window_is_named_and_flags_numbers(copy, offset_ns):
    copy.change("run.json", roles__web__clock_offset_ns=offset_ns)
    problems, ledger, checks = measure(copy)
    sentence = f"run.json: roles.web.clock_offset_ns is {offset_ns // 10**9} s"
    assert [problem for problem in problems if problem.startswith(sentence)]
    for quantity in ("T_cpu", "T_vdisk", "R_req"):
        assert is_flagged_or_missing(ledger, quantity, "run.json")
    assert model_usable(checks, "web").answer == "no"


@pytest.mark.parametrize("offset_ns", [2**63 - 1, -(2**63), 10**40])
def test_an_offset_that_no_clock_has_is_missing(copy, offset_ns):
    copy.change("run.json", roles__web__clock_offset_ns=offset_ns)
    problems, ledger, _ = measure(copy)
    assert problems[0].startswith("run.json: roles.web.clock_offset_ns must be a whole number")
    rows = ledger.filter(pl.col("quantity").is_in(["T_cpu", "T_vdisk"]))
    assert rows["value"].null_count() == rows.height > 0


@pytest.mark.parametrize("rate", [0, 1e299, -1, True, "5"])
def test_a_rate_that_no_client_offers_is_missing(copy, rate):
    copy.change("run.json", virtual_servers__web__workload__rate_per_s=rate)
    problems, _, checks = measure(copy)
    key = "run.json: virtual_servers.web.workload.rate_per_s must be a number above 0"
    assert problems[0].startswith(key)
    assert model_usable(checks, "web").answer == "no"
    assert copy.queuevisor("ingest").returncode == 1


def test_threads_of_an_older_collector_have_roles(copy):
    measure(copy)
    threads = ingest.load("tasks", copy.processed, role="host")
    of_qemu = threads.filter(pl.col("virtual_server_name") == "web")
    assert {"vcpu", "emulator", "iothread"} <= set(of_qemu["task_role"].drop_nulls())
    assert of_qemu["task_role"].null_count() == 0


def test_a_host_that_is_the_guest_is_said_once_and_compared_with_nothing(copy):
    boot = json.loads((copy.run / "run.json").read_text())["roles"]["host"]["boot_id"]
    copy.change("run.json", roles__web__boot_id=boot)
    data = api.open_run(STUDY, SERVER, RUN, raw=copy.raw, processed=copy.processed)
    facts = dict(tables.df_facts(data).rows())
    assert facts["host and guest"].startswith("web and host are one machine")
    assert "guests run by" not in facts
    assert tables.warnings(data).count(facts["host and guest"]) == 1
    across = data.cross_checks.filter(
        (pl.col("role") == "host")
        & (pl.col("virtual_server") == "web")
        & (pl.col("source_a").str.starts_with("guest"))
    )
    assert across.is_empty()
    of_db = data.cross_checks.filter(
        (pl.col("virtual_server") == "db") & pl.col("source_a").str.starts_with("guest")
    )
    assert of_db.height == 3, "the database's guest is another machine"
