"""The table of runs on the index page, with a thousand runs: sorted and filtered as a reader does it."""

import json
from collections.abc import Iterable

import polars as pl
import pytest
from playwright.sync_api import expect

from pipeline import report
from pipeline.report import page as pages
from pipeline.report.tables import SUMMARY

pytestmark = [pytest.mark.browser, pytest.mark.report]

HEIGHT = 1000
RESULTS = ["passed", "passed with warnings", "failed"]
HOSTILE = "<script>alert(1)</script>"


def run_row(n: int) -> dict:
    """A row whose columns have different orders; every 50th run has no R of the client."""
    response_ms = None if n % 50 == 0 else 10.0 + (n * 37) % HEIGHT
    return dict.fromkeys(SUMMARY) | {
        "server": ["first", "second"][n % 2],
        "run": f"run-{n:04}",
        "virtual_server": ["web", "db", HOSTILE][n % 3],
        "load": f"{1 + n % 16} threads",
        "load_level": 1.0 + n % 16,
        "date": f"2026-11-{1 + n % 30:02}T12:00:00Z",
        "result": RESULTS[n // 2 % 3],
        "R_client_ms": response_ms,
        "R_model_ms": None if response_ms is None else response_ms * 1.01,
        "error_R": None if response_ms is None else 0.01,
        "X_client_per_s": 20.0,
        "busiest": "host CPU",
        "utilization": (n * 7 % 100) / 100,
        "warnings": n % 7,
    }


RUNS = [run_row(n) for n in range(HEIGHT)]


def write(home, rows: Iterable[dict]):
    """The index page of a report with a page of each run."""
    for row in rows:
        stem = home / "reports" / "synthetic" / f"run_report-{row['server']}-{row['run']}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        place = {"server": row["server"], "run": row["run"]}
        entry = {
            "page": f"run_report/{row['server']}/{row['run']}",
            "notebook": "run_report",
            "study": "synthetic",
            "parameters": place,
            "title": f"Run report: {row['server']} / {row['run']}",
            "key_figures": {},
            "thumbnail": None,
            "summary": pl.DataFrame([row], schema=SUMMARY).to_dicts(),
            "error": None,
            "problems": [],
        }
        stem.with_suffix(".html").write_text("<!doctype html><title>a run</title>")
        stem.with_suffix(".json").write_text(json.dumps(entry))
    (home / "raw").mkdir(parents=True, exist_ok=True)
    index = report.write_index(home / "reports", home / "raw")
    for name, text in pages.scripts().items():
        (index.parent / "assets").mkdir(exist_ok=True)
        (index.parent / "assets" / name).write_text(text, encoding="utf-8")
    return index


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return write(tmp_path_factory.mktemp("index"), RUNS)


@pytest.fixture
def table(browser, index):
    """The page in the browser, and a function that gives the runs of the rows that are shown, in their order."""
    opened = browser.open(index)
    rows = opened.tab.locator("#runs-table tbody tr:visible th a")
    return opened, rows.all_text_contents


def names(rows: Iterable[dict]) -> list[str]:
    return [row["run"] for row in rows]


def test_every_run_has_a_row_and_its_page(table):
    opened, shown = table
    assert sorted(shown()) == names(RUNS)
    assert opened.requests == []
    assert "Content Security Policy" not in opened.console, opened.console
    assert "Uncaught" not in opened.console, opened.console
    assert HOSTILE in opened.tab.locator("#runs-table").inner_text()
    opened.tab.get_by_role("link", name="run-0123").click()
    expect(opened.tab).to_have_title("a run")


@pytest.mark.parametrize(("heading", "key"), [("R client", "R_client_ms"), ("Load", "load_level")])
def test_rows_are_sorted_by_a_column_both_ways(table, heading, key):
    opened, shown = table
    initial = {name: place for place, name in enumerate(shown())}
    rows = sorted(RUNS, key=lambda row: initial[row["run"]])
    measured = [row for row in rows if row[key] is not None]
    missing = [row for row in rows if row[key] is None]
    head = opened.tab.get_by_role("columnheader", name=heading)
    for direction, sign in (("ascending", 1), ("descending", -1)):
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", direction)
        ordered = sorted(measured, key=lambda row: sign * row[key])
        assert shown() == names(ordered + missing)


def test_rows_are_sorted_by_a_text(table):
    opened, _ = table
    head = opened.tab.get_by_role("columnheader", name="Virtual server")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    servers = opened.tab.locator("#runs-table tbody tr td:nth-child(3)").all_text_contents()
    assert len(servers) == HEIGHT and servers == sorted(servers)


def test_rows_are_filtered_by_text_and_by_result(table):
    opened, shown = table
    opened.tab.get_by_role("searchbox").fill("RUN-07 second")
    by_text = [row for row in RUNS if row["run"].startswith("run-07") and row["server"] == "second"]
    assert 0 < len(by_text) < HEIGHT and sorted(shown()) == names(by_text)
    opened.tab.get_by_label("Model check").select_option("failed")
    by_result = [row for row in by_text if row["result"] == "failed"]
    assert 0 < len(by_result) < len(by_text) and sorted(shown()) == names(by_result)
    expect(opened.tab.locator("form output")).to_contain_text(f"{len(by_result)} of {HEIGHT}")
    opened.tab.get_by_role("searchbox").fill("")
    assert sorted(shown()) == names(row for row in RUNS if row["result"] == "failed")
    opened.tab.locator("form [type=reset]").click()
    expect(opened.tab.locator("form output")).to_contain_text(f"{HEIGHT} of {HEIGHT}")
    assert sorted(shown()) == names(RUNS)


def test_a_filter_keeps_the_order(table):
    opened, shown = table
    opened.tab.get_by_role("columnheader", name="R client").get_by_role("button").click()
    opened.tab.get_by_role("searchbox").fill("run-09")
    expect(opened.tab.locator("form output")).to_contain_text("100 of")
    chosen = [row for row in RUNS if row["run"].startswith("run-09")]
    chosen.sort(key=lambda row: (row["R_client_ms"] is None, row["R_client_ms"]))
    assert shown() == names(chosen)


def test_a_row_takes_less_than_a_kilobyte(index, tmp_path):
    few = write(tmp_path, RUNS[:10])
    per_row = (index.stat().st_size - few.stat().st_size) / (HEIGHT - 10)
    assert 100 < per_row < 1000
    assert "data:image" not in index.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_nothing_is_cut_however_many_runs(browser, tmp_path, width):
    assert browser.open(write(tmp_path, RUNS[:30]), width=width).cut() == []
