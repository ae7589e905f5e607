"""The index page: rows of runs, counts, links, what it says of pages that do not apply."""

import json
import re
from types import SimpleNamespace

import pytest
import small_study
from notebook_files import HOSTILE, notebook, outside_addresses, write

from pipeline import __version__
from pipeline.report import lessons
from pipeline.report.index import Status, status_of, write_index

ROW = {
    "server": "first",
    "run": "web-005-a",
    "virtual_server": "web server",
    "load": "5/s even",
    "load_level": 5.0,
    "date": "2026-11-22T22:41:53Z",
    "result": "passed with warnings",
    "R_client_ms": 12.34,
    "R_model_ms": 11.9,
    "error_R": -0.0357,
    "X_client_per_s": 5.0,
    "busiest": "host CPU",
    "utilization": 0.993,
    "warnings": 2,
}


@pytest.fixture
def folder(tmp_path):
    """A folder of raw runs with the small study, and one for a report."""
    small_study.write(tmp_path / "raw")
    (tmp_path / "out" / small_study.STUDY).mkdir(parents=True)
    return tmp_path


def add(folder, notebook: str, /, *keys: str, **values) -> None:
    """Put a page with those parameters, and with ``values`` in its record, into the report."""
    names = ("server", "virtual_server" if notebook == "what_if" else "run")
    entry = {
        "page": "/".join([notebook, *keys]),
        "notebook": notebook,
        "study": small_study.STUDY,
        "parameters": dict(zip(names, keys, strict=False)),
        "virtual_servers": [],
        "title": " ".join([notebook, *keys]),
        "key_figures": {},
        "thumbnail": None,
        "summary": [],
        "error": None,
        "problems": [],
    } | values
    path = folder / "out" / small_study.STUDY / f"{'-'.join([notebook, *keys])}.json"
    path.write_text(json.dumps(entry))
    path.with_suffix(".html").write_text("<p>a page</p>")


def index(folder) -> str:
    return write_index(folder / "out", folder / "raw").read_text()


def cells(text: str) -> list[list[str]]:
    """The texts of the table's rows."""
    body = text.split("<tbody>")[1].split("</tbody>")[0]
    rows = re.findall(r"<tr.*?</tr>", body, flags=re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
        for row in rows
    ]


def test_a_run_is_a_row_with_its_numbers(folder):
    add(folder, "run_report", "first", "web-005-a", summary=[ROW])
    (row,) = cells(index(folder))
    assert row == [
        "first", "web-005-a", "web server", "5/s even", "! passed with warnings", "12.3", "11.9",
        "-3.6 %", "host CPU, 99 %", "2", "2026-11-22 22:41",
    ]  # fmt: skip


def test_a_run_of_two_virtual_servers_is_two_rows(folder):
    rows = [ROW, ROW | {"virtual_server": "database", "result": "failed"}]
    add(folder, "run_report", "first", "both", summary=rows)
    assert [row[2:5:2] for row in cells(index(folder))] == [
        ["web server", "! passed with warnings"],
        ["database", "✗ failed"],
    ]


def test_a_number_that_is_missing_is_neither_zero_nor_sorted_as_zero(folder):
    nothing = dict.fromkeys(ROW) | {"server": "first", "run": "web-005-a"}
    add(folder, "run_report", "first", "web-005-a", summary=[nothing])
    text = index(folder)
    (row,) = cells(text)
    assert row[3:] == ["–", "? not checked", "–", "–", "–", "–", "–", "–"]
    assert text.split("<tbody>")[1].count("data-v=") == 2, "only the result and the warnings"


def test_failed_and_damaged_pages_are_counted_apart(folder):
    add(folder, "run_report", "first", "web-005-a", error=f"ValueError: {HOSTILE}")
    add(folder, "run_report", "first", "db-16-a", problems=["run.json: missing"], summary=[ROW])
    add(folder, "run_report", "second", "db-16-a", summary=[ROW | {"result": "passed"}])
    add(folder, "published")
    text = index(folder)
    assert "4 pages: 1 failed, 1 with input problems, 2 complete." in text
    assert "3 run pages: 1 failed, 1 with input problems, 1 complete." in text
    assert HOSTILE not in text and "&lt;script&gt;alert" in text
    by_run = {row[1]: row for row in cells(text)[:2]}
    assert by_run["web-005-a"][3:6] == ["–", "✗ page failed", "–"]
    assert by_run["db-16-a"][9] == "✗ input problems"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Status(1, 0, 0), "1 page, all complete"),
        (Status(160, 3, 2), "160 pages: 3 failed, 2 with input problems, 155 complete"),
        (Status(2, 0, 2), "2 pages: 2 with input problems, 0 complete"),
    ],
)
def test_the_sentence_and_the_exit_code_are_of_one_count(status, text):
    assert status.text() == text
    assert status.is_complete == ("all complete" in text)


def test_a_failed_page_with_damaged_input_counts_once():
    page = {"error": "ValueError", "problems": ["run.json: missing"]}
    assert status_of([page]) == Status(1, 1, 0)


def test_pages_are_listed_for_the_links_between_them(folder):
    add(folder, "what_if", "first", "web", virtual_servers=["web"])
    add(folder, "run_report", "first", "web-005-a", virtual_servers=["web"], title=HOSTILE)
    index(folder)
    script = (folder / "out" / "assets" / "pages.js").read_text()
    start = "window.queuevisorPages = "
    assert script.startswith(start)
    what_if, run = json.loads(script.removeprefix(start).rstrip().rstrip(";"))
    assert run == {
        "page": "run_report/first/web-005-a",
        "notebook": "run_report",
        "study": small_study.STUDY,
        "title": HOSTILE,
        "href": f"{small_study.STUDY}/run_report-first-web-005-a.html",
        "server": "first",
        "run": "web-005-a",
        "virtual_servers": ["web"],
    }
    assert (what_if["run"], what_if["virtual_servers"]) == (None, ["web"])


def test_pages_that_do_not_apply_are_named_with_what_they_need(folder):
    add(folder, "compare_servers", key_figures={"web server: R": "2.5"})
    text = index(folder)
    assert "published needs the paper" in text and "compare_servers needs" not in text
    assert text.count('<li class="card') == 1
    assert 'id="runs"' not in text and "<script" not in text, "no table of runs"


def test_the_course_is_one_card_and_a_page_of_its_lessons(folder, monkeypatch):
    names = ["course/01_first", "course/02_second"]
    books = folder / "books"
    for name in names:
        write(books / f"{name}.ipynb", notebook())
    lesson = SimpleNamespace(
        opening=f"Why is `x` {HOSTILE}?", minutes=75, outcomes=("a", "b"),
        runs={"open": "third/web-1/web"}, families={},
    )  # fmt: skip
    monkeypatch.setattr(lessons, "lesson_of", {names[1]: lesson}.get)
    add(folder, names[0].replace("/", "-"), notebook=names[0], page=names[0])
    text = write_index(folder / "out", folder / "raw", books).read_text()
    assert text.count('<li class="card') == 1 and f'"{small_study.STUDY}/course.html"' in text
    assert "third/web-1 with web" in text
    course = (folder / "out" / small_study.STUDY / "course.html").read_text()
    assert re.findall(r"<h2[^>]*><a href=\"([^\"]*)\">", course) == ["course-01_first.html"]
    assert 'href="course-01_first-student.ipynb"' in course
    assert "75 minutes · needs the run third/web-1 with web" in course
    assert "<code>x</code> &lt;script&gt;" in course and HOSTILE not in course
    assert outside_addresses(course) == []


def test_what_made_the_report_stands_on_it(folder):
    add(folder, "published")
    text = index(folder)
    assert f"Queuevisor {__version__}" in text
    assert re.search(r"written \d{4}-\d\d-\d\d \d\d:\d\d UTC", text)


def test_a_thousand_runs_are_a_small_page_that_loads_nothing_from_elsewhere(folder):
    home = folder / "out" / small_study.STUDY
    for number in range(1000):
        run = f"web-{number:04d}"
        row = ROW | {"run": run, "result": ("passed", "failed")[number % 2]}
        add(folder, "run_report", "first", run, summary=[row])
        add(folder, "what_if", "first", run, thumbnail=f"what_if-first-{run}.svg")
        (home / f"what_if-first-{run}.svg").write_text("<svg/>")
    text = index(folder)
    assert (
        len(cells(text)) == text.count("<img") == text.count('<img alt="" loading="lazy"') == 1000
    )
    assert len(text.encode()) < 3_000_000
    assert "data:" not in text and outside_addresses(text) == []
    assert re.findall("<script[^>]*>", text) == ['<script src="assets/index.js" defer>']


def test_a_card_shows_the_picture_beside_its_page_and_no_other_file(folder):
    home = folder / "out" / small_study.STUDY
    add(folder, "compare_servers", thumbnail="compare_servers.svg")
    add(folder, "published", thumbnail="published.svg")  # removed
    add(folder, "validate_model", thumbnail="../../secret.svg")
    for path in (home / "compare_servers.svg", folder / "secret.svg"):
        path.write_text("<svg/>")
    sources = re.findall(r'<img[^>]* src="([^"]*)"', index(folder))
    assert sources == [f"{small_study.STUDY}/compare_servers.svg"]


def test_a_record_that_is_no_record_is_passed_over(folder):
    add(folder, "published")
    home = folder / "out" / small_study.STUDY
    for name, text in {"a": "{", "b": "[]", "c": '{"notebook": "published"}'}.items():
        (home / f"{name}.json").write_text(text)
        (home / f"{name}.html").write_text("")
    (home / "published-alone.json").write_text((home / "published.json").read_text())
    assert "1 page, all complete" in index(folder)
