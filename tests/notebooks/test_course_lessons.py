"""Lesson 6 on recorded loads whose iotop has rows ``{no such process}``: its solution is right on each of them."""

import contextlib
import io
from pathlib import Path

import nbformat
import pytest

from pipeline import charts
from pipeline.course import raw_logs
from pipeline.course.question import OpenQuestion, Prediction
from pipeline.course.session import open_lesson

pytestmark = pytest.mark.xdist_group("loads")

ROOT = Path(__file__).resolve().parents[2]
RAW = ROOT / "data" / "raw" / "kvm-case-study"
LESSON = ROOT / "notebooks" / "course" / "06_ten_equations.ipynb"
LOADS = (
    "first/db-16-a/db",
    "second/db-16-a/db",
    "first/db-16-sweep-4/db",
    "first/both-005-16-a/db",
    "second/db-08-sweep/db",
    "first/web-005-a/web",
)
NAMELESS = "{no such process}"


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Charts are not drawn: the pages' tests do that."""
    monkeypatch.setattr(
        charts, "mime_bundle", lambda chart: ({"text/plain": ""}, {"queuevisor": {}})
    )


@pytest.mark.parametrize("load", LOADS)
def test_the_solution_is_right(load):
    server, run, virtual_server = load.split("/")
    names = {"server": server, "run": run, "virtual_server": virtual_server}
    for cell in nbformat.read(LESSON, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        given = dict(names)
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(cell.source, "<cell>", "exec"), names)
        if "parameters" in cell.metadata.get("tags", []):
            names.update(given | {"raw": str(RAW.parent)})
    session = names["lesson"]
    judged = {
        q.key for q in session.lesson.questions if not isinstance(q, OpenQuestion | Prediction)
    }
    verdicts = {key: session.check.records[key].kind for key in judged}
    assert set(verdicts.values()) == {"right"}
    row = session.run("run")
    assert row.name == load
    for column in ("R_vdisk_s", "R_disk_s", "R_sum_s", "R_nested_s"):
        assert names[column] == pytest.approx(row[column], rel=1e-6), column


@pytest.mark.parametrize("load", ["first/db-16-a/db", "second/db-16-a/db"])
def test_without_the_numbers_of_the_threads_bytes_are_missing(load):
    server, run, virtual_server = load.split("/")
    recorded = raw_logs.open_run(RAW / server / run, virtual_server)
    tids = recorded.server_tids()
    nameless = sum(
        row.bytes_per_s
        for row in recorded.task_bytes()
        if row.command == NAMELESS and row.task in tids
    )
    right = open_lesson(6, raw=RAW.parent, run=load).run("run")["IO_vdisk_req_bytes"]
    assert nameless > 0.01 * right
