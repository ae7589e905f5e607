"""A whole report: planned pages, failed pages, the index page, equal files for equal input."""

import json
import threading
from pathlib import Path

import pytest
from notebook_files import CHART, HOSTILE, notebook, outside_addresses, write

from pipeline import report
from pipeline.raw import RawRunError
from pipeline.report import plan, unchanged
from pipeline.report.parameters import UnknownParameter

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
def books(tmp_path, monkeypatch) -> Path:
    """Notebooks: one good, one that fails; both apply to every study."""
    monkeypatch.setattr(plan, "NEEDS", {})
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
    assert manifest["status"] == (2, 1, 0)
    assert [row["page"] for row in manifest["pages"]] == ["compare_servers", "published"]
    assert sorted(row["page"] for row in reported) == ["compare_servers", "published"]
    out = raw.parent / "out"
    index = manifest["index"].read_text()
    assert "2 pages: 1 failed, 1 complete." in index and "1 of 2 pages FAILED" in index
    assert "ValueError: &lt;script&gt;" in index and "<script" not in index
    assert "FAILED" in (out / "a-study" / "published.html").read_text()
    assert "A chart" in (out / "a-study" / "compare_servers.html").read_text()
    assert outside_addresses(index) == []
    assert 'id="service-demand"' in (out / "glossary.html").read_text()
    # Mended and rendered alone: the mark goes, the other page stays in the index.
    write(books / "published.ipynb", notebook("1"))
    manifest = render(raw, books, only="published")
    assert manifest["status"].is_complete
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
    assert manifest["status"] == (3, 0, 1)
    index = manifest["index"].read_text()
    assert "all complete" not in index
    assert "3 pages: 1 with input problems, 2 complete." in index
    assert "run.json, line 2" in index and index.count("✗ input problems") == 1
    card = json.loads((raw.parent / "out/a-study/run_report-first-web-1.json").read_text())
    assert card["problems"][0].startswith("run.json, line 2")


def test_make_says_whether_all_pages_are_complete(raw, books, capsys):
    places = {"processed": raw.parent / "processed", "out": raw.parent / "out", "notebooks": books}
    assert report.render_studies(None, raw=raw, **places) == (2, 1, 0)
    lines = capsys.readouterr().err
    assert "report published: FAILED: ValueError" in lines
    assert "report compare_servers: done" in lines
    assert report.render_studies("a-study", raw=raw, only="compare_servers", **places).is_complete
    assert "report compare_servers: unchanged" in capsys.readouterr().err


def test_the_same_input_gives_the_same_bytes(raw, books):
    out = raw.parent / "out"
    files = (
        "a-study/compare_servers.html",
        "a-study/compare_servers.json",
        "glossary.html",
        "assets/charts.js",
        "assets/page.js",
        "assets/pages.js",
        "assets/index.js",
    )
    once = [
        (render(raw, books, force=True), [(out / name).read_bytes() for name in files])[1]
        for _ in range(2)
    ]
    assert once[0] == once[1]
    assert str(raw.parent) not in (out / "index.html").read_text()


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


def test_a_report_that_is_left_early_ends_its_notebooks(raw, books):
    """One page is done, one runs and one waits when the terminal is gone."""
    for name in ("published", "validate_model"):
        write(books / f"{name}.ipynb", notebook("import time; time.sleep(600)"))
    raised = []

    def is_gone(row):
        raise BrokenPipeError

    def leave():
        with pytest.raises(BrokenPipeError):
            render(raw, books, progress=is_gone)
        raised.append(True)

    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    thread.join(120)
    assert raised == [True]


def test_a_dead_kernel_is_a_failed_page(raw, books):
    write(books / "published.ipynb", notebook("import os", "os._exit(3)"))
    manifest = render(raw, books, only="published")
    assert manifest["status"] == (1, 1, 0)
    assert "DeadKernel" in manifest["pages"][0]["error"]


def test_a_notebook_that_takes_too_long_is_a_failed_page(raw, books):
    write(books / "published.ipynb", notebook("print('before')", "import time; time.sleep(600)"))
    (row,) = render(raw, books, only="published", timeout_s=5)["pages"]
    assert row["error"] == "TimeoutError: stopped after 5 s"
    assert "before" in row["path"].read_text()


# -- unchanged pages


@pytest.fixture
def counted(raw, tmp_path, monkeypatch):
    """A notebook of every page that notes that it ran; ``render`` lists the pages that did."""
    monkeypatch.setattr(plan, "NEEDS", {})
    monkeypatch.setattr(plan, "_what_if_needs", lambda *_: None)
    monkeypatch.setattr(unchanged, "code_version", lambda: "1")
    folder, ran = tmp_path / "counted", tmp_path / "ran"
    keys = {
        "run_report": 'server: str = ""\nrun: str = ""',
        "what_if": 'server: str = ""\nvirtual_server: str = ""',
        "compare_servers": 'extra: int = 1',
        "validate_model": 'extra: int = 1',
        "published": 'extra: int = 1',
    }  # fmt: skip
    for name, parameters in keys.items():
        line = f"open({str(ran)!r}, 'a').write({name!r} + ' ')"
        write(folder / f"{name}.ipynb", notebook(line, parameters=parameters))
    study = raw / "a-study" / "study.json"
    names = {
        "case_study": {"web": "web-1"},
        "servers": {"first": {}},
        "virtual_servers": {"web": {}},
    }
    study.write_text(json.dumps(json.loads(study.read_text()) | names))
    for run in ("web-1", "web-2"):
        path = raw / "a-study" / "first" / run / "run.json"
        path.parent.mkdir(parents=True)
        workload = {"kind": "open", "rate_per_s": 5.0 if run == "web-1" else 7.0}
        path.write_text(
            json.dumps({"virtual_servers": {"web": {"role": "web", "workload": workload}}})
        )

    def run(**options) -> list[str]:
        ran.write_text("")
        pages = render(raw, folder, only=["run_report/*", "what_if", "compare_servers",
                       "validate_model", "published"], **options)["pages"]  # fmt: skip
        assert [row["error"] for row in pages] == [None] * 6
        ids = sorted(row["page"] for row in pages if not row["unchanged"])
        assert sorted(ran.read_text().split()) == sorted(name.split("/")[0] for name in ids)
        return ids

    return run


ALL = ["compare_servers", "published", "run_report/first/web-1", "run_report/first/web-2", "validate_model",
       "what_if/first/web"]  # fmt: skip


def test_a_page_is_rendered_again_only_after_a_change(raw, counted, tmp_path):
    out = raw.parent / "out"
    assert counted() == ALL
    assert counted() == []
    # a run: its page, and the pages that read it
    path = raw / "a-study" / "first" / "web-2" / "run.json"
    path.write_text(path.read_text() + " ")
    assert counted() == ["run_report/first/web-2", "validate_model", "what_if/first/web"]
    path = raw / "a-study" / "first" / "web-1" / "run.json"
    path.write_text(path.read_text() + " ")
    assert counted() == [
        "compare_servers",
        "run_report/first/web-1",
        "validate_model",
        "what_if/first/web",
    ]
    # a page that is damaged or missing, or whose record is
    (out / "a-study" / "published.html").write_text("cut")
    (out / "a-study" / "validate_model.json").write_text("{")
    (out / "a-study" / "run_report-first-web-1.html").unlink()
    assert counted() == ["published", "run_report/first/web-1", "validate_model"]
    # study.json, the notebook
    study = raw / "a-study" / "study.json"
    study.write_text(study.read_text() + " ")
    assert counted() == ALL
    book = tmp_path / "counted" / "published.ipynb"
    book.write_text(book.read_text() + " ")
    assert counted() == ["published"]


def test_parameters_belong_to_the_key(raw, books):
    write(books / "published.ipynb", notebook("1", parameters="draws: int = 1"))
    results = [
        render(raw, books, only="published", parameters={"draws": draws})["pages"][0]["unchanged"]
        for draws in (1, 2, 2, 1)
    ]
    assert results == [False, False, True, False]


def test_a_failed_page_is_rendered_again(raw, books):
    for _ in range(2):
        (row,) = render(raw, books, only="published")["pages"]
        assert row["error"] and not row["unchanged"]


def test_the_code_and_the_libraries_belong_to_the_key(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("1")
    monkeypatch.setattr(unchanged, "PACKAGE", tmp_path)
    versions = [unchanged.code_version.__wrapped__()]
    (tmp_path / "a.py").write_text("2")
    versions.append(unchanged.code_version.__wrapped__())
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    versions.append(unchanged.code_version.__wrapped__())
    monkeypatch.setattr(unchanged.metadata, "distributions", list)
    versions.append(unchanged.code_version.__wrapped__())
    assert len(set(versions)) == 4
