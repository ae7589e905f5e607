"""Grading: submissions are run again on hidden hosts in processes of their own, and judged here."""

import json

import nbformat
import numpy as np
import polars as pl
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from pipeline.course import grade, grade_texts, rerun, submissions
from pipeline.course.session import find_lesson, open_lesson
from pipeline.files import ROOT
from pipeline.report.grade_pages import write_grades

pytestmark = pytest.mark.xdist_group("grade")

HOSTS, LIMIT_S = 3, 8.0
RUNS = ("db-16-a", "db-16-sweep-7")
HOSTILE = "<script>alert(1)</script>"

PARAMETERS = """study: str = "kvm-case-study"
raw: str = "data/raw"
processed: str = "data/processed"
"""
OPEN = """from pipeline import course
lesson = course.open_lesson(2, study=study, raw=raw, processed=processed)
check = lesson.check"""
GENERAL = {
    "X": "X = lesson.value('C') / lesson.value('T')\ncheck('X', X)",
    "U": "U = lesson.value('B') / lesson.value('T')\ncheck('U', U)\ncheck('U', U)",
    "V": "check('V', lesson.value('C_vdisk') / lesson.value('C'))",
    "S": "check('S', f\"{1e3 * lesson.value('B') / lesson.value('C_vdisk')} ms\")",
    "D": "check('D', U / X)",
    "impossible": "check.choose('impossible', 'c')\nassert check.so_far().height == 11",
}
SAY = f"check.predict('stretch', 3)\ncheck.say('why_queue', 'bursts {HOSTILE}')\ncheck.reveal('stretch')"
ABUSE = {
    "loop": "import time\nwhile True: time.sleep(0.05)",
    "stubborn": "import signal; signal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: time.sleep(0.05)",
    "exit": "import os; os._exit(3)",
    "sys": "import sys; sys.exit(1)",
    "fork": "import os; os.fork()",
    "program": "import subprocess; subprocess.run(['true'])",
    "network": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')",
    "write": "open('/tmp/queuevisor-grade-test', 'w')",
    "remove": "import pathlib; pathlib.Path(raw, study, 'runs.parquet').unlink()",
    "memory": "x = b'a' * (6 << 30)",
    "truth": "import pathlib; next(pathlib.Path(raw).parent.rglob('*truth*'))",
    "input": "input()",
    "syntax": "answer =",
}
EXPECTED = {
    "loop": "stopped after 8 s",
    "stubborn": "ended: it did not stop after 8 s",
    "exit": "the process ended itself with exit code 3 (os._exit?)",
    "sys": "SystemExit: 1",
    "fork": "PermissionError: the grader starts no other process",
    "program": "PermissionError: the grader starts no other program",
    "network": "URLError: <urlopen error the grader has no network>",
    "write": "PermissionError: the grader writes no file outside of the working folder",
    "remove": "PermissionError: the grader writes no file outside of the working folder",
    "memory": "MemoryError",
    "truth": "StopIteration",
    "input": "EOFError: EOF when reading a line",
}


def typed(study_values):
    return {key: f"check({key!r}, {study_values[key]})" for key in ("X", "U", "V", "S", "D")}


def notebook(cells):
    first = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    return new_notebook(cells=[first, *(new_code_cell(cell) for cell in (OPEN, *cells))])


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """Studies whose runs table is the recorded one with every number changed by a factor of its own."""
    folder = tmp_path_factory.mktemp("hosts")
    recorded = pl.read_parquet(ROOT / "data/course/runs.parquet").filter(
        pl.col("run").is_in(RUNS), server="first"
    )
    numbers = [name for name, dtype in recorded.schema.items() if dtype == pl.Float64]
    parameters = []
    for number in range(HOSTS):
        rng = np.random.default_rng(number)
        study = folder / "raw" / f"host-{number}"
        study.mkdir(parents=True)
        (study / "study.json").write_bytes(
            (ROOT / "data/raw/kvm-case-study/study.json").read_bytes()
        )
        scaled = recorded.with_columns(pl.col(name) * rng.uniform(0.7, 1.4) for name in numbers)
        scaled.write_parquet(study / "runs.parquet")
        parameters.append(
            {
                "study": study.name,
                "raw": str(folder / "raw"),
                "processed": str(folder / "processed"),
            }
        )
    return parameters


@pytest.fixture(scope="module")
def graded(hosts, tmp_path_factory):
    """A class that hands in every kind of notebook."""
    folder = tmp_path_factory.mktemp("class")
    own = open_lesson(2)
    right = {q.key: q.right(own.given) for q in own.lesson.questions if hasattr(q, "tolerance")}
    general = list(GENERAL.values())
    cells = {
        "general": [*general, SAY],
        "typed": [*typed(right).values()],
        "wrong": ["X = lesson.value('T') / lesson.value('C')\ncheck('X', X)", GENERAL["U"], GENERAL["D"]],
        "abuse": [*ABUSE.values(), *general],
        "elsewhere": [OPEN.replace("study=study, raw=raw", "raw='data/raw'"), *general],
        HOSTILE.replace("/", ""): [f"raise ValueError({HOSTILE!r})"],
    }  # fmt: skip
    for student, sources in cells.items():
        (folder / student).mkdir()
        nbformat.write(notebook(sources), folder / student / "02_three_laws.ipynb")
    (folder / "broken").mkdir()
    (folder / "broken" / "02.ipynb").write_text('{"cells": "open_lesson(2)')
    (folder / "link").mkdir()
    (folder / "link" / "02.ipynb").symlink_to("/etc/passwd")
    nbformat.write(notebook([GENERAL["X"]]), folder / "02_three_laws-Flat.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submissions, "GRACE_S", 1.0)
        return grade.grade_class(folder, hosts, limit_s=LIMIT_S)


@pytest.fixture(scope="module")
def by_student(graded):
    return {student.student: student for student in graded.students}


def right_keys(student):
    return {mark.key for mark in student.marks if mark.hosts_right == mark.hosts}


def test_a_general_notebook_is_right_on_every_host(by_student):
    student = by_student["general"]
    assert right_keys(student) == set(GENERAL)
    assert student.earned == len(GENERAL) and student.possible == 11
    assert student.problems == []
    assert {mark.key: mark.tries for mark in student.marks if mark.tries} == {
        **dict.fromkeys(GENERAL, 1), "U": 2,
    }  # fmt: skip
    assert {mark.note for mark in student.marks if not mark.tries} == {grade_texts.NOT_ANSWERED}


def test_numbers_that_are_right_on_the_own_host_are_right_on_no_other(by_student):
    student = by_student["typed"]
    answered = [mark for mark in student.marks if mark.tries]
    assert [mark.key for mark in answered] == ["X", "U", "V", "S", "D"]
    assert {mark.hosts_right for mark in answered} == {0}
    assert {mark.note for mark in answered} == {grade_texts.TYPED}


def test_a_wrong_method_gets_its_hint_and_what_follows_is_named(by_student):
    marks = {mark.key: mark for mark in by_student["wrong"].marks}
    assert marks["U"].hosts_right == HOSTS
    assert "T/C" in marks["X"].note and marks["X"].hosts_right == 0
    assert marks["D"].hosts_right == 0 and marks["D"].note


def test_abuse_is_one_line_each_and_does_not_stop_the_rest(by_student):
    student = by_student["abuse"]
    assert right_keys(student) == set(GENERAL)
    expected = {
        f"02_three_laws.ipynb: code cell {number}: {EXPECTED[name]}"
        for number, name in enumerate(ABUSE, start=3)
        if name != "syntax"
    }
    assert expected <= set(student.problems)
    others = set(student.problems) - expected
    assert len(others) == 1 and "SyntaxError" in others.pop()


def test_another_study_than_the_hidden_host_is_named(by_student):
    assert by_student["elsewhere"].problems == [f"02_three_laws.ipynb: {grade_texts.OTHER_STUDY}"]


def test_files_that_are_no_notebooks_are_named(by_student):
    assert "no notebook" in by_student["broken"].problems[0]
    assert by_student["broken"].possible == 11 and by_student["broken"].earned == 0
    assert by_student["link"].problems[0] == f"02.ipynb: {grade_texts.NOT_A_SMALL_FILE}"


def test_the_name_of_a_student_is_read_from_the_name_of_a_notebook(by_student):
    assert right_keys(by_student["Flat"]) == {"X"}


def test_the_list_has_a_row_for_each_question_and_the_pages_escape_everything(graded, tmp_path):
    page = write_grades(graded, tmp_path / "grades")
    rows = pl.read_csv(page.parent / "grades.csv")
    assert rows.columns == list(grade.SCHEMA)
    assert set(rows["student"]) == {s.student for s in graded.students} - {"link"}
    assert rows.filter(student="typed")["hosts_right"].sum() == 0
    pages = sorted(page.parent.glob("*.html"))
    assert len(pages) == len(graded.students) + 1
    for path in pages:
        assert "<script" not in path.read_text()
    assert "bursts &lt;script&gt;" in (page.parent / "student-general.html").read_text()
    assert grade_texts.TYPED in page.read_text()


def test_the_commonest_slips_count_students(graded):
    slips = {(key, hint): count for _, key, hint, count in graded.slips()}
    assert slips["X", grade_texts.TYPED] == 2, "typed, and computed from another study"
    assert not any(hint == grade_texts.NOT_ANSWERED for _, hint in slips)


def test_what_is_said_of_the_network_is_what_the_processes_report(graded):
    assert graded.had_network is False or graded.had_network is True
    text = grade_texts.WITH_NETWORK if graded.had_network else grade_texts.WITHOUT_NETWORK
    assert ("namespace of its own" in text) is not graded.had_network


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(grade.GradeError, match="no notebook"):
        grade.submissions_in(tmp_path)
    with pytest.raises(grade.GradeError, match="cannot be read"):
        grade.submissions_in(tmp_path / "missing")


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        (..., {"blank": True}),
        (np.float64(0.5), {"number": 0.5}),
        ("1.2 ms", {"text": "1.2 ms"}),
        (("a", "b"), {"items": ["a", "b"]}),
        ([1.0, 2.0], {"type": "list"}),
        (pl.DataFrame({"x": [1]}), {"type": "DataFrame"}),
    ],
)
def test_answers_are_reported_as_plain_data(answer, plain):
    assert rerun.plain(answer) == plain
    json.dumps(rerun.plain(answer))


@pytest.mark.parametrize(
    "event",
    [
        {"event": "answer", "lesson": 99, "study": "s", "key": "X", "number": 1.0},
        {"event": "answer", "lesson": 2, "study": 1, "key": "X", "number": 1.0},
        {"event": "answer", "lesson": 2, "study": "s", "key": ["X"], "number": 1.0},
        {"event": "answer", "lesson": 2, "study": "s", "key": "X", "number": "1"},
        {"event": "answer", "study": "s"},
        {"event": "start", "notebook": "a"},
        [],
    ],
)
def test_forged_events_are_left_out(event):
    rerun_ = submissions.Rerun()
    progress = submissions.Progress(rerun_, 1.0)
    progress.take({"event": "start", "notebook": "a.ipynb", "host": 0})
    progress.take(event)
    assert rerun_.answers == {("a.ipynb", 0): []}


def test_the_lesson_of_these_tests_has_the_questions_that_they_answer():
    assert set(GENERAL) <= {question.key for question in find_lesson(2).questions}
