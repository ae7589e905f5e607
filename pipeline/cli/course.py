"""``queuevisor course``: hosts, copies, grades and papers for a class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline import files, report
from pipeline.cli.console import (
    KEPT,
    NOTHING_WRITTEN,
    Settings,
    orderly_exit,
    print_error,
    print_line,
    progress,
    usage_error,
)
from pipeline.cli.options import Workers, with_folders

STUDY = "kvm-case-study"
NOTEBOOKS = files.ROOT / "notebooks" / "course"
HIDDEN = "course-hosts"
"""Folder of the hidden hosts, beside the tidy tables."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""The course for a class: hosts, copies with blanks, grades, papers.

From nothing to a graded list:

`queuevisor course copy` writes each lesson with blanks;
`queuevisor course hosts --class students.txt --seed 7` simulates a host for each student;
`queuevisor course grade submissions --seed 8` runs what they hand in on hosts that they have not seen;
`queuevisor course zip` packs pages, copies and data for a class without network.

How to hold the course: docs/teaching/README.md.
""",
)

LessonNumber = Annotated[
    int | None, typer.Option(min=1, max=10, help="This lesson only (default: all).")
]


def write_runs(
    context: typer.Context,
    study: Annotated[str, typer.Argument(help="Study.")] = STUDY,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")] = Path(
        "data/course/runs.parquet"
    ),
) -> None:
    """Write the runs table that the lessons compute with: one row per run and virtual server.

    The recorded study's table is part of the project; write it again after a change of measurement or runs.

    Example: queuevisor course runs
    """
    from pipeline.course.runs import write_runs_table

    settings: Settings = context.obj
    recorded = _study(settings, study)
    with orderly_exit(NOTHING_WRITTEN), progress("runs", len(recorded.runs()), "run") as step:
        write_runs_table(study, out, raw=settings.raw, processed=settings.processed, progress=step)
    print_line(f"wrote {out}")


def write_hosts(
    students: Annotated[
        Path,
        typer.Option("--class", help="Text file: one student's name per line.", dir_okay=False),
    ],
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="The same seed writes the same hosts.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to hand out.")] = Path("hosts"),
    teacher: Annotated[
        Path, typer.Option(help="Folder to keep: who has which host, and the true demands.")
    ] = Path("teacher"),
    workers: Workers = 2,
) -> None:
    """Simulate one host for each student: all runs that the lessons use, with the student's own numbers.

    OUT/host-01, … are studies; TEACHER/hosts.csv says whose is which. A lesson opens a host by its parameters: study
    = "host-01", raw = "hosts".

    Example: queuevisor course hosts --class students.txt --seed 7
    """
    from pipeline.course.hosts import write_class

    try:
        text = files.read_regular_file(students).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise usage_error(f"{students}: cannot be read: {reason}") from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        with orderly_exit(KEPT), progress("hosts", len(names), "host") as step:
            table = write_class(names, out, teacher, seed, workers=workers, progress=step)
    except OSError as error:
        raise usage_error(f"{error.filename or out}: cannot be written: {error.strerror}") from None
    print_line(f"wrote {len(names)} hosts to {out}; who has which: {table}")


def write_copies(
    lesson: Annotated[
        int | None,
        typer.Argument(min=1, max=10, help="Lesson (default: all).", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the copies.")] = Path(
        "notebooks/course/student"
    ),
    nbgrader: Annotated[
        bool,
        typer.Option(
            "--nbgrader",
            help="Instead: nbgrader's source version, OUT/source/LESSON/LESSON.ipynb, with solutions.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace copies that exist.")] = False,
) -> None:
    """Write the student's copy of each lesson: answers are blanks. A copy that exists is kept.

    With --nbgrader the folder OUT is an nbgrader course: `nbgrader generate_assignment LESSON` makes the students'
    version, `nbgrader autograde LESSON` runs its locked tests.

    Examples:

    queuevisor course copy

    queuevisor course copy 2 --out handout

    queuevisor course copy 2 --nbgrader --out nbgrader-course
    """
    from pipeline import jsonschema_import  # noqa: F401 - before nbformat  # isort: skip
    import nbformat

    from pipeline.course.nbgrader import nbgrader_source
    from pipeline.course.student import student_copy

    make = nbgrader_source if nbgrader else student_copy
    for notebook in _notebooks(lesson):
        name = f"source/{notebook.stem}/{notebook.name}" if nbgrader else notebook.name
        target = out / name
        if target.exists() and not force:
            print_line(f"{target}: kept; --force replaces it")
            continue
        copy = make(nbformat.read(notebook, as_version=4))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            files.write_text(target, nbformat.writes(copy) + "\n")
        except OSError as error:
            raise usage_error(f"{target}: cannot be written: {error.strerror}") from None
        print_line(f"{target}: written")


def grade(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder with a folder of notebooks for each student, or with notebooks that have the students' "
            "names in theirs (02_three_laws-Ada.ipynb)."
        ),
    ],
    hosts: Annotated[int, typer.Option(min=1, max=100, help="Number of hidden hosts.")] = 6,
    lesson: LessonNumber = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**32 - 1, help="Seed of the hidden hosts; who knows it can simulate them."
        ),
    ] = 1,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Stop a cell that takes longer.")
    ] = 30.0,
    workers: Workers = 2,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the grades.")] = Path(
        "grades"
    ),
) -> None:
    """Run each student's notebooks on hosts that they have not seen, and count on how many each answer is right.

    A general method is right on every host, a number that was typed in on none. OUT/grades.csv has a row per student
    and question; OUT/index.html leads to a page for each student and lists the commonest slips.

    A submission runs in a process of its own, on a copy of its folder, with limits of time and memory. What it is not
    kept from: docs/teaching/README.md. Hidden hosts are kept, in the folder of the tidy tables.

    Example: queuevisor course grade submissions --lesson 2 --hosts 6 --seed 8
    """
    from pipeline.course import grade_texts
    from pipeline.course.grade import grade_class, submissions_in
    from pipeline.course.hidden_hosts import hidden_hosts
    from pipeline.report.grade_pages import TABLE, write_grades

    settings: Settings = context.obj
    count = len(submissions_in(folder, lesson))
    try:
        with orderly_exit(KEPT):
            with progress("hidden hosts", hosts, "host") as step:
                cache = settings.processed.absolute() / HIDDEN
                hidden = hidden_hosts(hosts, seed, cache, workers=workers, progress=step)
            with progress("grade", count, "submission") as step:
                grades = grade_class(
                    folder, hidden, lesson=lesson, limit_s=timeout, workers=workers, progress=step
                )
            page = write_grades(grades, out)
    except OSError as error:
        raise usage_error(f"{error.filename or out}: cannot be written: {error.strerror}") from None
    print_error(grade_texts.WITH_NETWORK if grades.had_network else grade_texts.WITHOUT_NETWORK)
    print_line(f"{out / TABLE}")
    print_line(f"{page}")


def write_zip(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="File to write.")] = Path("course.zip"),
    pages: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a report that has the pages (default: they are rendered now)."
        ),
    ] = None,
    workers: Workers = 1,
) -> None:
    """Pack the course for a class without network: pages with checked answers, copies, data. At most 10 MB.

    The pages need a browser and nothing else.

    Examples:

    queuevisor course zip

    queuevisor course zip course.zip --pages reports
    """
    import tempfile

    from pipeline.course.archive import course_files, write_archive
    from pipeline.course.session import find_lesson

    settings: Settings = context.obj
    _study(settings, STUDY)
    lessons = [(find_lesson(int(path.name[:2])), path) for path in _notebooks(None)]
    try:
        with (
            orderly_exit(NOTHING_WRITTEN),
            tempfile.TemporaryDirectory(prefix="queuevisor-course-") as folder,
        ):
            if pages is None:
                pages = Path(folder)
                _render(settings, pages, len(lessons), workers)
            size = write_archive(out, course_files(lessons, pages, STUDY, settings.raw))
    except OSError as error:
        raise usage_error(f"{error.filename or out}: {error.strerror or error}") from None
    print_line(f"{out}: {size / 1e6:.1f} MB")


def _render(settings: Settings, pages: Path, count: int, workers: int) -> None:
    with progress("pages", count, "page") as step:
        manifest = report.render(
            STUDY,
            raw=settings.raw,
            processed=settings.processed,
            out=pages,
            only=["course/*"],
            workers=workers,
            progress=lambda row: step(f"{row['page']} {report.page_result(row)}"),
        )
    failed = [row for row in manifest["pages"] if row["error"]]
    if failed:
        raise usage_error(f"{failed[0]['page']}: {failed[0]['error']}; nothing was written")


def print_exam(
    context: typer.Context,
    study: Annotated[str, typer.Option(help="Study whose numbers are printed in.")] = STUDY,
    lesson: LessonNumber = None,
    solutions: Annotated[
        bool, typer.Option("--solutions/--no-solutions", help="Print the solutions, too.")
    ] = True,
) -> None:
    """Print exam questions to answer on paper, as Markdown, with the numbers of a study.

    For an exam that nobody has seen, simulate a host and print its numbers.

    Examples:

    queuevisor course exam --lesson 2

    queuevisor --raw hosts course exam --study host-17 --no-solutions
    """
    from pipeline.course.exam import exam_bank

    sessions = _sessions(context.obj, study, lesson)
    command = f"queuevisor course exam --study {study}"
    typer.echo(exam_bank(sessions, command, solutions=solutions), nl=False)


def print_guide(
    context: typer.Context,
    lesson: Annotated[int, typer.Argument(min=1, max=10, help="Lesson.")],
    study: Annotated[str, typer.Option(help="Study whose numbers are printed in.")] = STUDY,
) -> None:
    """Print the instructor's guide of a lesson as Markdown: timetable, answers, slips with their hints.

    docs/teaching has it with the recorded study's numbers.

    Example: queuevisor --raw hosts course guide 2 --study host-17
    """
    from pipeline.course.guide import lesson_page

    typer.echo(lesson_page(_sessions(context.obj, study, lesson)[0]), nl=False)


def _sessions(settings: Settings, study: str, lesson: int | None):
    from pipeline.course.session import LESSON_NUMBERS, open_lesson

    _study(settings, study)
    numbers = LESSON_NUMBERS if lesson is None else [lesson]
    return [
        open_lesson(number, study=study, raw=settings.raw, processed=settings.processed)
        for number in numbers
    ]


def _study(settings: Settings, name: str):
    """The study of that name; exit code 2 if there is none."""
    from pipeline import api

    studies = {study.name: study for study in api.find_studies(settings.raw)}
    if name not in studies:
        names = ", ".join(studies) or "none"
        raise usage_error(f"{settings.raw}: no study {name!r}; choose from {names}")
    return studies[name]


def _notebooks(lesson: int | None) -> list[Path]:
    """The solved lessons, or one of them; exit code 2 if it does not exist."""
    pattern = "[0-9][0-9]_*.ipynb" if lesson is None else f"{lesson:02d}_*.ipynb"
    notebooks = sorted(NOTEBOOKS.glob(pattern))
    if not notebooks:
        raise usage_error(f"{NOTEBOOKS}: no notebook {pattern}")
    return notebooks


for name, command in {
    "copy": write_copies,
    "hosts": write_hosts,
    "grade": grade,
    "zip": write_zip,
    "exam": print_exam,
    "guide": print_guide,
    "runs": write_runs,
}.items():
    app.command(name)(with_folders(command, is_writer=name == "grade"))
