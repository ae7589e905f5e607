"""The course as one file: what is in it, links that lead to files of it, size, and equal bytes."""

import re
import zipfile
from pathlib import Path

import pytest

from pipeline.course import archive
from pipeline.course.archive import ArchiveError, course_files, raw_runs, write_archive
from pipeline.course.session import find_lesson
from pipeline.files import ROOT

pytestmark = pytest.mark.xdist_group("archive")

STUDY = "kvm-case-study"
NOTEBOOKS = sorted((ROOT / "notebooks/course").glob("[0-9][0-9]_*.ipynb"))
LESSONS = [(find_lesson(int(path.name[:2])), path) for path in NOTEBOOKS]
PAGE_BYTES = 600_000
"""Of one page, deflated: more than any rendered page has."""


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The archive's files, its pages with links as the report's templates write them."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / STUDY).mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "assets" / "charts.js").write_text("let x = 1;\n")
    (folder / "glossary.html").write_text('<a href="index.html">Queuevisor</a>')
    names = [f"course-{path.stem}" for path in NOTEBOOKS]
    links = "".join(
        f'<a href="{name}.html#q">x</a><a href="{name}-student.ipynb">y</a>' for name in names
    )
    (folder / STUDY / "course.html").write_text(f'<a href="../index.html">Q</a>{links}')
    for name in names:
        (folder / STUDY / f"{name}.html").write_text(
            '<script src="../assets/charts.js"></script><a href="../glossary.html#utilization">u</a>'
            '<a href="run_report-first-db-16-a.html">a run</a><a href="#top">top</a>'
            '<a href="https://example.org/">far</a><img src="data:image/svg+xml;base64,PHN2Zy8+">'
        )
    return course_files(LESSONS, folder, STUDY, ROOT / "data/raw")


def unpacked(path, folder):
    with zipfile.ZipFile(path) as opened:
        opened.extractall(folder)
    return folder / archive.TOP


def test_every_link_of_a_page_leads_to_a_file(parts, tmp_path):
    write_archive(tmp_path / "course.zip", parts)
    top = unpacked(tmp_path / "course.zip", tmp_path / "unpacked")
    page = (top / "pages" / STUDY / "course-02_three_laws.html").read_text()
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in page and "https://example.org/" in page
    checked = 0
    for page in top.rglob("*.html"):
        for address in re.findall(r'(?:href|src|url)="?([^"#;>]+)', page.read_text()):
            assert not re.search(r"index\.html.", address)
            if not address.startswith(("https:", "data:")):
                assert (page.parent / address).resolve().is_file(), f"{page.name}: {address}"
                checked += 1
    assert checked > 4 * len(NOTEBOOKS)
    assert (top / "pages" / STUDY / "course.html").read_text().count("-student.ipynb") == 0


def test_copies_logs_and_data_are_in_it_and_answers_are_not(parts):
    for lesson, notebook in LESSONS:
        text = parts[f"notebooks/{lesson.name}.ipynb"].decode()
        assert "# your answer" in text and "# answer" not in text, notebook.name
    for run in ("first/web-005-a", "first/db-16-a"):
        assert f"data/raw/{STUDY}/{run}/run.json" in parts
    assert parts["data/course/runs.parquet"] == (ROOT / "data/course/runs.parquet").read_bytes()
    for lesson, _ in LESSONS:
        assert lesson.title in parts["README.txt"].decode()


def test_the_size_stays_below_ten_megabytes(parts, tmp_path):
    size = write_archive(tmp_path / "course.zip", parts)
    assert size == (tmp_path / "course.zip").stat().st_size
    assert size + PAGE_BYTES * (len(LESSONS) + 2) < archive.MAX_BYTES


def test_the_same_files_give_the_same_bytes(tmp_path):
    parts = {"b.txt": b"b" * 1000, "a.txt": b"a"}
    write_archive(tmp_path / "1.zip", parts)
    write_archive(tmp_path / "2.zip", dict(reversed(parts.items())))
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "1.zip") as opened:
        assert opened.namelist() == [f"{archive.TOP}/a.txt", f"{archive.TOP}/b.txt"]


def test_a_larger_archive_is_refused_and_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 100)
    with pytest.raises(ArchiveError, match="more than 100"):
        write_archive(tmp_path / "course.zip", {"a": bytes(range(256))})
    assert list(tmp_path.iterdir()) == []


def test_a_report_without_the_course_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match=r"course\.html: no such page"):
        course_files(LESSONS, tmp_path, STUDY, Path("data/raw"))


def test_the_runs_whose_logs_lessons_open():
    assert {"first/web-005-a", "first/db-16-a"} <= set(raw_runs(LESSONS))
    assert raw_runs([pair for pair in LESSONS if pair[0].number == 2]) == []
