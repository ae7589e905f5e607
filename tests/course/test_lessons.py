"""Every lesson on the recorded study and on random hosts: right answers, slips and hints, and the notebook's text.

Twenty hosts with logs would cost 150 s of CPU time. One has logs, because some lessons open them; the rows of the
others are from the simulation alone, with short loads. What only a log has is tested on the recorded study and on the
one host.
"""

import json
import math
from collections import Counter

import pytest

from pipeline.course import host_plan, judge
from pipeline.course.given import Given, right_value, slip_values
from pipeline.course.hosts import host_seed, lesson_runs, runs_frame, simulate_rows, write_host
from pipeline.course.question import Choice, Order, Prediction, Question
from pipeline.course.runs import runs_table
from pipeline.course.session import LESSON_NUMBERS, find_lesson
from pipeline.evaluate.published import read_tables

pytestmark = pytest.mark.xdist_group("lessons")

RANDOM_HOSTS = 20
SHORT = {
    "RAW_SECONDS": 3.0, "QUIET_SECONDS": 5.0, "MIN_SECONDS": 3.0, "MAX_SECONDS": 5.0, "REQUESTS": 80,
    "RAW_IDLE_S": 5.0, "IDLE_S": 5.0,
}  # fmt: skip
"""Lengths of the loads of hosts without logs, seconds."""
APART = 1.5
"""Distance of a slip from the right answer, in tolerances."""
ANYTHING = 0.9
"""A tolerance from here on accepts any answer of the right size."""
SAME = 0.002
"""Relative difference of two slips that cannot be distinguished."""
MAX_SKIPPED = 0.04
"""Largest share of slips that may be right within the tolerance, or equal another slip, on random hosts."""
MAX_WITHOUT_VALUE = 0.15
"""Largest share of slips that the recorded study has no value of: mistakes that are possible on other runs only."""
LESSONS = [find_lesson(number) for number in LESSON_NUMBERS]
LESSON_IDS = [lesson.name for lesson in LESSONS]


@pytest.fixture(scope="session")
def paper(root):
    return read_tables(root / "data" / "raw")


@pytest.fixture(scope="session")
def recorded(root, tmp_path_factory):
    """The recorded study: its table and folder."""
    raw = root / "data" / "raw"
    return runs_table(
        "kvm-case-study", raw, tmp_path_factory.mktemp("none")
    ), raw / "kvm-case-study"


@pytest.fixture(scope="session")
def hosts(tmp_path_factory):
    """Table and folder of each random host."""
    folder = tmp_path_factory.mktemp("hosts") / "host-00"
    write_host(folder, host_seed(17, 0))
    tables = [(runs_table("host-00", folder.parent, folder), folder)]
    keys = lesson_runs()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SHORT.items():
            patch.setattr(host_plan, name, value)
        for number in range(1, RANDOM_HOSTS):
            name = f"host-{number:02d}"
            rows = simulate_rows(host_plan.draw_host(host_seed(17, number)), name, keys)
            tables.append((runs_frame(rows), folder.parent / name))
    return tables


def given_of(lesson, study, paper):
    table, folder = study
    return Given(lesson, table, lesson.runs, paper, folder)


def numeric(lesson):
    return [question for question in lesson.questions if isinstance(question, Question)]


def verdict(question, given, answer):
    return judge.judge(question, given, answer)


def is_close(a, b, tolerance):
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-12)


@pytest.mark.parametrize("lesson", LESSONS, ids=LESSON_IDS)
def test_on_the_recorded_study_right_answers_are_right_and_slips_get_their_hints(
    lesson, recorded, paper
):
    given, wrong, counts = given_of(lesson, recorded, paper), [], Counter()
    for question in numeric(lesson):
        right = right_value(question, given)
        if right is None:
            wrong.append(f"{question.key}: no right answer")
            continue
        wrong += [
            f"{question.key}: {answer!r} is right: {verdict(question, given, answer).text}"
            for answer in right_answers(right, question.tolerance)
            if verdict(question, given, answer).kind != "right"
        ]
        slips = slip_values(question, given)
        counts["defined"] += len(question.slips)
        counts["with value"] += len(slips)
        for number, (value, hint) in enumerate(slips):
            if question.tolerance < ANYTHING and is_close(
                value, right, max(APART * question.tolerance, 1e-9)
            ):
                wrong.append(f"{question.key}: {value:.6g} is near the right {right:.6g}: {hint}")
            elif hint not in (text := verdict(question, given, value).text):
                wrong.append(f"{question.key}: {value:.6g} should say {hint!r}, says {text!r}")
            wrong += [
                f"{question.key}: {value:.6g} has two hints: {hint!r}, {other_hint!r}"
                for other, other_hint in slips[number + 1 :]
                if hint != other_hint and is_close(value, other, SAME)
            ]
    assert wrong == []
    assert counts["with value"] >= (1 - MAX_WITHOUT_VALUE) * counts["defined"], counts


@pytest.mark.parametrize("lesson", LESSONS, ids=LESSON_IDS)
def test_on_random_hosts_right_answers_are_right_and_slips_get_their_hints(lesson, hosts, paper):
    counts, wrong = Counter(), []
    for number, host in enumerate(hosts):
        given = given_of(lesson, host, paper)
        for question in numeric(lesson):
            right = right_value(question, given)
            if right is None:
                counts["no answer"] += 1
                continue
            counts["answers"] += 1
            wrong += [
                f"host {number}, {question.key}: {answer!r} is right"
                for answer in right_answers(right, question.tolerance)
                if verdict(question, given, answer).kind != "right"
            ]
            slips = slip_values(question, given)
            for value, hint in slips:
                counts["slips"] += 1
                result = verdict(question, given, value)
                equal = [v for v, h in slips if h != hint and is_close(value, v, 1e-9)]
                if result.kind == "right" or (equal and hint not in result.text):
                    counts["skipped", question.key, hint] += 1
                elif hint not in result.text:
                    name = f"host {number}, {question.key}"
                    wrong.append(f"{name}: {value:.6g} should say {hint!r}, says {result.text!r}")
    assert wrong == []
    skipped = {key: n for key, n in counts.items() if isinstance(key, tuple)}
    assert sum(skipped.values()) <= MAX_SKIPPED * counts["slips"], skipped
    assert counts["answers"] >= 0.5 * len(numeric(lesson)) * len(hosts), counts


def right_answers(right, tolerance):
    """The right answer, and rounded to three figures or as many as its tolerance asks for."""
    if tolerance == 0:
        return [right]
    figures = 3 if tolerance >= 0.005 else 6
    return [right, float(f"{right:.{figures}g}")]


def notebook_text(path):
    cells = json.loads(path.read_text())["cells"]
    return " ".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


@pytest.mark.parametrize("lesson", LESSONS, ids=LESSON_IDS)
def test_the_notebook_asks_every_question_word_for_word(lesson, root):
    path = root / "notebooks" / "course" / f"{lesson.name}.ipynb"
    if not path.exists():
        pytest.fail(f"no notebook {path.name}")
    text = " ".join(notebook_text(path).split())
    missing = [q.key for q in lesson.questions if " ".join(q.ask.split()) not in text]
    assert missing == []


@pytest.mark.parametrize("lesson", LESSONS, ids=LESSON_IDS)
def test_choices_and_orders_are_complete(lesson, recorded, paper):
    for question in lesson.questions:
        if isinstance(question, Choice):
            assert question.right in question.options
            assert set(question.reasons) == set(question.options) - {question.right}, question.key
        elif isinstance(question, Order):
            assert len(set(question.steps)) == len(question.steps) > 2
            assert set(question.reasons) <= set(question.steps), question.key
        elif isinstance(question, Prediction):
            assert math.isfinite(question.right(given_of(lesson, recorded, paper))), question.key
    keys = [question.key for question in lesson.questions]
    assert len(set(keys)) == len(keys)
