"""The course as one ZIP file, for a class without network: pages, copies with blanks, data.

The pages check answers without Python; the copies need the project. The same files give the same bytes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pipeline import jsonschema_import  # noqa: F401 - before nbformat  # isort: skip
import nbformat

from pipeline import files
from pipeline.course import archive_texts as texts
from pipeline.course.question import Lesson
from pipeline.course.student import student_copy
from pipeline.errors import Error

MAX_BYTES = 10_000_000
TOP = "queuevisor-course"
"""Folder that everything is in."""
RUNS_TABLE = "data/course/runs.parquet"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file."""

_ADDRESS = re.compile(r'\b(?:href|src)="([^"#?:]+)(?=["#?])')
_FOLDER = re.compile(r"\bfolder\(\s*([\"']?)(\w+)")


class ArchiveError(Error):
    """The course cannot be packed; the text says why."""


def course_files(
    lessons: list[tuple[Lesson, Path]], pages: Path, study: str, raw: Path
) -> dict[str, bytes]:
    """Everything in the archive: name below ``TOP`` → content.

    Parameters
    ----------
    lessons : list of (Lesson, Path)
        Lessons and their solved notebooks.
    pages : Path
        Folder of a report with the pages of the course: ``STUDY/course.html`` and those that it leads to.
    study : str
    raw : Path
        Folder of the raw studies.

    Raises
    ------
    ArchiveError
        A page is missing.
    OSError
        A file cannot be read.
    """
    parts = {f"pages/{name}": content for name, content in page_files(pages, study)}
    for lesson, notebook in lessons:
        copy = student_copy(nbformat.read(notebook, as_version=4))
        parts[f"notebooks/{lesson.name}.ipynb"] = (nbformat.writes(copy) + "\n").encode()
    parts[RUNS_TABLE] = files.read_regular_file(files.project_path(RUNS_TABLE))
    parts[f"data/raw/{study}/study.json"] = files.read_regular_file(raw / study / "study.json")
    for run in raw_runs(lessons):
        for path in sorted((raw / study / run).rglob("*")):
            if path.is_file():
                name = path.relative_to(raw).as_posix()
                parts[f"data/raw/{name}"] = files.read_regular_file(path)
    parts["index.html"] = texts.index_page(study).encode()
    parts["README.txt"] = texts.readme(study, [lesson for lesson, _ in lessons]).encode()
    return parts


def raw_runs(lessons: list[tuple[Lesson, Path]]) -> list[str]:
    """``server/run`` of the runs whose raw logs a lesson's notebook opens, by ``lesson.folder(role)``.

    A role that is a variable stands for all roles of the lesson.
    """
    runs = set()
    for lesson, notebook in lessons:
        cells = nbformat.read(notebook, as_version=4).cells
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        for quote, role in _FOLDER.findall(source):
            roles = [role] if quote else list(lesson.runs)
            runs |= {lesson.runs[name].rpartition("/")[0] for name in roles}
    return sorted(runs)


def page_files(pages: Path, study: str) -> Iterator[tuple[str, bytes]]:
    """The page of the course, the lessons' pages, and the scripts and pages that they lead to.

    Links to other pages of the report lead to the archive's first page.
    """
    folder = pages / study
    course = [folder / "course.html", *sorted(folder.glob("course-*.html"))]
    if not course[0].is_file():
        raise ArchiveError(f"{course[0]}: no such page; make it by `queuevisor report {study}`")
    shared = [
        path
        for path in (pages / "glossary.html", *sorted((pages / "assets").glob("*.js")))
        if path.is_file()
    ]
    names = {path.relative_to(pages).as_posix() for path in (*course, *shared)}
    copies = {
        f"{study}/{path.stem}-student.ipynb": f"notebooks/{path.stem.removeprefix('course-')}.ipynb"
        for path in course
    }
    for path in (*course, *shared):
        name = path.relative_to(pages).as_posix()
        content = files.read_regular_file(path)
        if path.suffix == ".html":
            content = _relinked(content.decode("utf-8"), name, names, copies).encode()
        yield name, content


def _relinked(page: str, name: str, names: set[str], copies: dict[str, str]) -> str:
    """A page whose links lead to files of the archive."""
    depth = name.count("/") + 1

    def link(match: re.Match[str]) -> str:
        target = _resolve(name, match[1])
        if target in names:
            return match[0]
        to = copies.get(target, "index.html")
        return match[0].replace(match[1], "../" * depth + to)

    return _ADDRESS.sub(link, page)


def _resolve(page: str, address: str) -> str:
    """The file that a relative address of a page leads to."""
    parts = page.split("/")[:-1]
    for part in address.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def write_archive(target: Path, parts: dict[str, bytes]) -> int:
    """Write the ZIP file; returns its size in bytes.

    Raises
    ------
    ArchiveError
        It would be larger than ``MAX_BYTES``.
    OSError
        It cannot be written.
    """
    with files.write_atomically(target) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(parts):
                entry = zipfile.ZipInfo(f"{TOP}/{name}", EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, parts[name])
        size = part.stat().st_size
        if size > MAX_BYTES:
            raise ArchiveError(f"{target}: {size:,} bytes are more than {MAX_BYTES:,}")
    return size
