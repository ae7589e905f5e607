"""A whole report: planned pages, failed pages, the index page, equal files for equal input."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import report
from pipeline.raw import RawRunError, find_studies
from pipeline.report import build
from pipeline.report.parameters import UnknownParameter

from .notebook_files import CHART, HOSTILE, notebook, outside_addresses, write

pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture
def raw(tmp_path) -> Path:
    """A folder with a study without runs: enough for notebooks that read nothing."""
    home = tmp_path / "raw" / "a-study"
    home.mkdir(parents=True)
    (home / "study.json").write_text(
        json.dumps({"format": "queuevisor-study/1", "study": "a-study", "title": HOSTILE})
    )
    return home.parent


@pytest.fixture
def books(tmp_path) -> Path:
    """Notebooks: one good, one that fails."""
    folder = tmp_path / "books"
    write(folder / "compare_servers.ipynb", notebook(CHART))
    write(folder / "published.ipynb", notebook(f'raise ValueError("{HOSTILE}")'))
    return folder


def render(raw: Path, books: Path, **options):
    here = raw.parent
    return report.render(
        "a-study",
        raw=raw,
        processed=here / "processed",
        out=here / "out",
        notebooks=books,
        **options,
    )


def test_a_failing_notebook_is_marked_and_the_others_are_done(raw, books, capsys):
    reported = []
    manifest = render(raw, books, workers=2, progress=reported.append)
    assert manifest["failed"] == 1
    assert [row["page"] for row in manifest["pages"]] == ["compare_servers", "published"]
    assert sorted(row["page"] for row in reported) == ["compare_servers", "published"]
    out = raw.parent / "out"
    index = manifest["index"].read_text()
    assert "1 of 2 pages FAILED" in index
    assert "ValueError: &lt;script&gt;" in index and "<script" not in index
    assert "FAILED" in (out / "a-study" / "published.html").read_text()
    assert "A chart" in (out / "a-study" / "compare_servers.html").read_text()
    assert outside_addresses(index) == []
    assert 'id="service-demand"' in (out / "glossary.html").read_text()
    # Mended and rendered alone: the mark goes, the other page stays in the index.
    write(books / "published.ipynb", notebook("1"))
    manifest = render(raw, books, only="published")
    assert manifest["failed"] == 0
    index = manifest["index"].read_text()
    assert "FAILED" not in index and "2 pages, all complete" in index


def test_a_page_of_a_broken_run_is_marked_in_the_index_and_not_complete(raw, books):
    """The page itself renders; that its run.json is broken stands on the index page."""
    run = raw / "a-study" / "first" / "web-1"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"format": "queuevisor-run/1",\n "study": oops}')
    write(
        books / "run_report.ipynb",
        notebook("1", parameters='server: str = "s"  # the server\nrun: str = "r"  # the run'),
    )
    write(books / "published.ipynb", notebook("1"))
    manifest = render(raw, books)
    assert manifest["failed"] == 0
    index = manifest["index"].read_text()
    assert "all complete" not in index
    assert "1 of 2 pages: input is missing or damaged" in index
    assert "run.json, line 2" in index and index.count("INCOMPLETE INPUT") == 1
    card = json.loads((raw.parent / "out/a-study/run_report-first-web-1.json").read_text())
    assert card["problems"][0].startswith("run.json, line 2")


def test_make_says_whether_all_pages_are_complete(raw, books, capsys):
    places = {"processed": raw.parent / "processed", "out": raw.parent / "out", "notebooks": books}
    assert report.render_studies(None, raw=raw, **places) is False
    lines = capsys.readouterr().err
    assert "report published: FAILED: ValueError" in lines
    assert "report compare_servers: done" in lines
    assert report.render_studies("a-study", raw=raw, only="compare_servers", **places) is True


def test_the_same_input_gives_the_same_bytes(raw, books):
    out = raw.parent / "out"
    files = (
        "a-study/compare_servers.html",
        "a-study/compare_servers.json",
        "glossary.html",
        "index.html",
        "assets/charts.js",
        "assets/page.js",
    )
    once = [
        (render(raw, books), [(out / name).read_bytes() for name in files])[1] for _ in range(2)
    ]
    assert once[0] == once[1]
    assert str(raw.parent).encode() not in once[0][3]


def test_nothing_is_run_when_the_call_is_wrong(raw, books):
    with pytest.raises(UnknownParameter, match="has no parameter servre"):
        render(raw, books, parameters={"servre": "first"})
    with pytest.raises(ValueError, match="no page matches 'publshed'"):
        render(raw, books, only="publshed")
    with pytest.raises(RawRunError, match="unknown study 'b'"):
        report.render("b", raw=raw, out=raw.parent / "out")
    assert not (raw.parent / "out").exists()


def test_no_partial_file_stays_behind(raw, books):
    render(raw, books, only="compare_servers")
    assert list((raw.parent / "out").rglob(".*")) == []


def test_a_dead_kernel_is_a_failed_page(raw, books):
    write(books / "published.ipynb", notebook("import os", "os._exit(3)"))
    manifest = render(raw, books, only="published")
    assert manifest["failed"] == 1
    assert "DeadKernel" in manifest["pages"][0]["error"]


# -- plan


@pytest.fixture
def study(tmp_path):
    home = tmp_path / "raw" / "many"
    for server in ("first", "second"):
        for run in ("web-005-a", "db-16-a", "db-01-sweep"):
            (home / server / run).mkdir(parents=True)
    case = {"web": "web-005-a", "db": "db-16-a"}
    manifest = {"format": "queuevisor-study/1", "study": "many", "servers": {}, "case_study": case}
    (home / "study.json").write_text(json.dumps(manifest))
    return find_studies(home.parent)[0]


def ids(pages) -> list[str]:
    return [p.id for p in pages]


def test_the_case_study_has_pages_of_its_own_and_other_runs_wait_to_be_asked_for(study):
    every = ids(build.plan_pages(study))
    assert every[:4] == [
        "compare_servers",
        "validate_model",
        "published",
        "course/01_equations_on_real_logs",
    ]
    assert every[4:] == [
        f"run_report/{server}/{run}"
        for server in ("first", "second")
        for run in ("db-16-a", "web-005-a")
    ]


def test_each_virtual_server_has_a_page_of_what_if_on_each_server(study):
    manifest = study.manifest | {"virtual_servers": {"web": {}, "db": {}}}
    planned = replace(study, manifest=manifest)
    every = [f"what_if/{s}/{v}" for s in ("first", "second") for v in ("web", "db")]
    assert ids(build.plan_pages(planned, "what_if")) == every
    assert set(every) <= set(ids(build.plan_pages(planned)))
    page = build.plan_pages(planned, "what_if/second/db")[0]
    assert page.parameters == {"server": "second", "virtual_server": "db"}
    assert page.stem == "what_if-second-db"


@pytest.mark.parametrize(
    ("only", "pages"),
    [
        ("published", ["published"]),
        ("01_equations_on_real_logs", ["course/01_equations_on_real_logs"]),
        ("first/db-01-sweep", ["run_report/first/db-01-sweep"]),
        ("run_report/*/db-01-*", ["run_report/first/db-01-sweep", "run_report/second/db-01-sweep"]),
        (["published", "second/web-005-a"], ["published", "run_report/second/web-005-a"]),
    ],
)
def test_only_chooses_pages(study, only, pages):
    assert ids(build.plan_pages(study, only)) == pages


def test_page_names_stay_in_their_folder(study):
    for one in build.plan_pages(study, "run_report/*/*"):
        assert re.fullmatch(r"[\w.-]+", one.stem)
