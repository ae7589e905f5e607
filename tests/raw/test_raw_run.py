"""A run on disk: what is read from run.json and facts.json, what is missing."""

import pytest
from raw_runs import changed, the_run


def test_a_good_run_is_read_and_has_no_problems(raw):
    run = the_run(raw)
    assert run.problems() == []
    assert run.missing() == []
    assert run.id == "pair/first/both-a"
    assert run.window.duration_s == 120.5
    assert run.idle_before.duration_s == 30.0
    assert run.accelerator == "tcg"
    assert run.clock_offset_ns("host") == -1500
    assert run.clock_offset_ns("client") == 0
    assert run.clock_offset_ns("nobody") is None
    assert run.roles["host"].clock_uncertainty_ns == 900
    web, db = run.virtual_servers["web"], run.virtual_servers["db"]
    assert (web.workload.kind, web.workload.rate_per_s, web.workload.arrivals) == (
        "open",
        5.0,
        "even",
    )
    assert web.workload.window.duration_s == pytest.approx(120.2)
    assert (db.workload.kind, db.workload.population, db.workload.window) == ("closed", 16, None)
    assert (db.role, db.virtual_disk, db.host_disk) == ("db", "vda", "loop2")
    assert run.facts("host")["clock_ticks_per_s"] == 100
    assert run.facts("nobody") == {}


def test_a_missing_log_is_a_problem_and_no_error(raw):
    (raw / "pair/first/both-a/host/iotop.log").unlink()
    (raw / "pair/first/both-a/db/general.log.zst").unlink()
    (raw / "pair/first/both-a/client/httperf.log").unlink()
    run = the_run(raw)
    assert [(lost.role, lost.kind) for lost in run.missing()] == [
        ("client", "httperf"), ("db", "general"), ("host", "iotop")
    ]  # fmt: skip
    assert run.problems() == [
        "client/httperf.log: missing", "db/general.log: missing", "host/iotop.log: missing"
    ]  # fmt: skip
    assert run.client_log("web") is None


def test_an_idle_virtual_server_needs_no_server_log(raw):
    run = changed(raw, "virtual_servers", "db", "workload", delete=True)
    (raw / "pair/first/both-a/db/general.log.zst").unlink()
    (raw / "pair/first/both-a/client/sysbench.log.gz").unlink()
    run = the_run(raw)
    assert run.virtual_servers["db"].workload is None
    assert run.problems() == []


def test_a_run_without_run_json_is_a_problem(raw):
    (raw / "pair/first/both-a/run.json").unlink()
    assert the_run(raw).problems() == ["run.json: missing"]


def test_broken_facts_are_a_problem(raw):
    folder = raw / "pair/first/both-a"
    (folder / "web/facts.json").write_text("{")
    (folder / "db/facts.json").write_text('{"format": "queuevisor-facts/9"}')
    (folder / "host/facts.json").unlink()
    assert the_run(raw).problems() == [
        'db/facts.json: format is "queuevisor-facts/9"; this version reads queuevisor-facts/1',
        "host/facts.json: missing",
        "web/facts.json, line 1, column 2: not JSON: Expecting property name enclosed in double quotes",
    ]
    assert the_run(raw).facts("web") == {}
