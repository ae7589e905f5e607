"""Response times that the server logs beside the client's: a run whose access log has ``%D``."""

import json

import pytest
import small_study

from pipeline import api
from pipeline.report import tables as page_tables

FORMAT = '%h %l %u %t "%r" %>s %b %D'


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    raw = tmp_path_factory.mktemp("logged") / "raw"
    small_study.write(raw)
    return raw


def opened(raw, tmp_path, times_us):
    """The first web run, its requests with response times in turn; None: the log without them."""
    folder = next(
        path.parent for path in sorted(raw.rglob("access.log")) if "first" in path.parts
    ).parent
    log = folder / "web" / "access.log"
    lines = [" ".join(line.split()[:10]) for line in log.read_text().splitlines()]
    manifest = json.loads((folder / "run.json").read_text())
    manifest["virtual_servers"]["web"]["access_format"] = FORMAT if times_us else None
    if times_us:
        lines = [f"{line} {times_us[number % len(times_us)]}" for number, line in enumerate(lines)]
    log.write_text("\n".join(lines) + "\n")
    (folder / "run.json").write_text(json.dumps(manifest))
    return api.open_run(folder, raw=raw, processed=tmp_path / "processed"), len(lines)


def logged_rows(run):
    return {
        row["quantity"]: row
        for row in run.cross_checks.filter(source_a="access.log").iter_rows(named=True)
    }


def test_the_servers_mean_and_count_stand_beside_the_clients(raw, tmp_path):
    times_us = [1_000, 2_000, 3_000, 10_001]
    run, requests = opened(raw, tmp_path, times_us)
    mean_s = sum(times_us[number % 4] for number in range(requests)) / requests / 1e6
    rows = logged_rows(run)
    assert [row["outcome"] for row in rows.values()] == ["agree", "agree"]
    count, mean = rows.values()
    client_s = run.ledger.filter(quantity="R_client")["value"][0]
    assert (count["value_a"], count["value_b"]) == (requests, requests)
    assert (mean["value_a"], mean["value_b"]) == pytest.approx((mean_s, client_s))
    assert mean["relation"] == "<=" and mean["uncertainty_a"] == pytest.approx(1e-6)
    logged = run.logged_response_times.row(0, named=True)
    assert (logged["virtual_server"], logged["requests"], logged["untimed"]) == ("web", requests, 0)
    names = ("p50_ms", "p90_ms", "p99_ms", "resolution_ms")
    assert [logged[name] for name in names] == pytest.approx([2.0, 10.001, 10.001, 1e-3])
    assert "90 %: 10 ms" in page_tables.client_text(run, "web")[-1]


def test_a_server_that_was_slower_than_its_client_saw_disagrees(raw, tmp_path):
    run, _ = opened(raw, tmp_path, [60_000])
    assert [row["outcome"] for row in logged_rows(run).values()] == ["agree", "disagree"]


def test_a_log_without_response_times_adds_nothing(raw, tmp_path):
    run, _ = opened(raw, tmp_path, None)
    assert not logged_rows(run)
    assert run.logged_response_times.is_empty()
    assert not any("own log" in sentence for sentence in page_tables.client_text(run, "web"))
