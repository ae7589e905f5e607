"""``queuevisor course``: copies, grades, exam and guide from the command line."""

import shutil

import nbformat
import polars as pl
import pytest

from pipeline.files import ROOT

LESSON = "02_three_laws"


def test_copies_are_written_once_and_replaced_by_force(call, tmp_path):
    copy = tmp_path / f"{LESSON}.ipynb"
    code, out, _ = call("course", "copy", "2", "--out", tmp_path)
    assert code == 0 and out == f"{copy}: written\n"
    assert "# your answer" in copy.read_text()
    copy.write_text("mine")
    code, out, _ = call("course", "copy", "2", "--out", tmp_path)
    assert code == 0 and "kept" in out and copy.read_text() == "mine"
    call("course", "copy", "2", "--out", tmp_path, "--force")
    assert "# your answer" in copy.read_text()


def test_the_source_of_nbgrader_is_where_nbgrader_reads_it(call, tmp_path):
    code, _, _ = call("course", "copy", "2", "--nbgrader", "--out", tmp_path)
    notebook = nbformat.read(tmp_path / "source" / LESSON / f"{LESSON}.ipynb", as_version=4)
    assert code == 0
    assert sum("nbgrader" in cell.metadata for cell in notebook.cells) > 20


def test_a_list_of_names_that_cannot_be_used_is_one_line(call, tmp_path):
    names = tmp_path / "students.txt"
    for content in (b"", b"\xff\xfe\n", b"Ada\nAda\n"):
        names.write_bytes(content)
        words = ("--class", names, "--seed", 1, "--out", tmp_path / "hosts")
        code, _, err = call("course", "hosts", *words, "--teacher", tmp_path / "teacher")
        assert code == 2 and err.startswith("queuevisor: ") and err.count("\n") == 1, content
    assert not (tmp_path / "hosts").exists()


@pytest.fixture
def hidden(tmp_path):
    """A folder of tables with two hidden hosts: the recorded study, and one twice as fast."""
    recorded = pl.read_parquet(ROOT / "data/course/runs.parquet")
    processed = tmp_path / "processed"
    for number, factor in enumerate((1.0, 0.5), 1):
        study = processed / "course-hosts" / "seed-1-hosts-2" / "raw" / f"host-{number:02d}"
        study.mkdir(parents=True)
        shutil.copy(ROOT / "data/raw/kvm-case-study/study.json", study)
        recorded.with_columns(pl.col("T_s") * factor).write_parquet(study / "runs.parquet")
    return processed


def test_a_class_is_graded(call, tmp_path, hidden):
    handed_in = tmp_path / "class" / "Ada"
    handed_in.mkdir(parents=True)
    shutil.copy(ROOT / f"notebooks/course/{LESSON}.ipynb", handed_in)
    out = tmp_path / "grades"
    words = ("--processed", hidden, "course", "grade", tmp_path / "class", "--hosts", 2)
    code, printed, err = call(*words, "--lesson", 2, "--out", out, "--workers", 1)
    assert code == 0, err
    assert printed == f"{out / 'grades.csv'}\n{out / 'index.html'}\n"
    rows = pl.read_csv(out / "grades.csv")
    assert set(rows["student"]) == {"Ada"} and set(rows["lesson"]) == {2}
    assert rows["hosts"].to_list() == rows["hosts_right"].to_list() == [2] * rows.height
    assert "without network" in err or "refuses network namespaces" in err


def test_an_exam_has_the_numbers_of_its_study(call):
    code, with_solutions, _ = call("--raw", ROOT / "data/raw", "course", "exam", "--lesson", "2")
    assert code == 0 and "1,765" in with_solutions
    _, without, _ = call(
        "--raw", ROOT / "data/raw", "course", "exam", "--lesson", "2", "--no-solutions"
    )
    assert with_solutions.startswith(without.rstrip("\n")) and "Solutions" not in without


def test_the_guide_of_a_lesson(call, root):
    code, out, _ = call("--raw", ROOT / "data/raw", "course", "guide", "2")
    assert code == 0 and out == (root / "docs/teaching/lesson-02.md").read_text()
