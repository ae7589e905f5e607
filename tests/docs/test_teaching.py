"""docs/teaching: what the lessons say, and numbers of the test that can be computed."""

import math
import re
import statistics

from scipy import stats

from pipeline.course.exam import paper_value
from pipeline.course.question import Question
from pipeline.course.session import open_lesson


def test_the_pages_are_printed_from_the_lessons(script, root):
    for name, text in script("print_teaching").pages():
        assert (root / "docs/teaching" / name).read_text() == text, f"{name}: make docs"


def test_the_exam_bank_takes_what_follows_from_given_numbers():
    session = open_lesson(2)
    values = {
        question.key: paper_value(question, session.given)
        for question in session.lesson.questions
        if isinstance(question, Question)
    }
    closed = session.run("closed")
    assert math.isclose(values["X"], closed["lambda_total"] / closed["T_s"])
    assert math.isclose(values["D"], closed["T_vdisk_s"] / closed["lambda_total"])
    assert None not in values.values()


def test_question_11_of_the_test(root):
    page = (root / "docs/teaching/test.md").read_text()
    runs = [33, 33, 53, 21, 22, 12]
    assert "took 33, 33, 53, 21, 22 and 12 ms" in page
    logarithms = [math.log(run) for run in runs]
    mean, sd = statistics.mean(logarithms), statistics.stdev(logarithms)
    t = stats.t.ppf(0.975, len(runs) - 1)
    low, high = (math.exp(mean + sign * t * sd) for sign in (-1, 1))
    assert f"({'b'}) anything from {low:.0f} to {high:.0f} ms" in page
    assert f"exp({mean:.3f} ± {t:.3f} · {sd:.3f})" in page
    wider = sd * math.sqrt(1 + 1 / len(runs))
    low, high = (math.exp(mean + sign * t * wider) for sign in (-1, 1))
    assert f"{low:.1f} to {high:.0f} ms" in page


def test_each_wrong_letter_has_its_misconception(root):
    page = (root / "docs/teaching/test.md").read_text()
    questions = re.findall(r"^\d+\. .*\n +(\(a\).*)$", page, re.M)
    key = re.findall(r"^\| \d+ \| ([a-d]) \| [^|]+ \| ([^|]+) \|", page, re.M)
    assert len(questions) == len(key) == 12
    for options, (right, wrong) in zip(questions, key, strict=True):
        letters = set(re.findall(r"\((\w)\) ", options))
        assert right in letters
        assert set(re.findall(r"(?:^|· )([a-d]): ", wrong)) == letters - {right}
