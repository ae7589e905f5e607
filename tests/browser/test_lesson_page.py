"""A lesson's page: answers judged in the browser, as in the notebook, and kept there."""

import dataclasses
import json

import pytest
import small_lesson
from lesson_page import PAGE, STUDY, write_lesson_page
from playwright.sync_api import expect

from pipeline.course import open_lesson, texts
from pipeline.course.judge import UNIT_FACTORS, judge, question_table
from pipeline.course.question import Question

pytestmark = [pytest.mark.browser, pytest.mark.report, pytest.mark.xdist_group("lesson-page")]

STORAGE_REFUSED = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("refused", "SecurityError"); }
});"""
SCREENS = (1280, 768, 390)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_lesson_page(tmp_path_factory.mktemp("lesson"))


@pytest.fixture
def lesson(browser, path):
    return browser.open(path)


def box(opened, key: str):
    return opened.tab.locator(f'form.question[data-key="{key}"]')


def answer(opened, key: str, text: str):
    """Type an answer, press Enter; the element of the verdict."""
    field = box(opened, key).locator("input, textarea")
    field.fill(text)
    field.press("Enter")
    return box(opened, key).locator("output")


def progress(opened):
    return opened.tab.locator(".lesson-progress span")


VERDICTS = [
    ("X", "14.6046", "right", "right; exactly 14.605 1/s. By its definition"),
    ("X", "14,6", "right", "right; exactly 14.605 1/s. By its definition"),
    ("U", "52.9 %", "right", "right; exactly 0.52941"),
    ("U", "52,9%", "right", "right; exactly 0.52941"),
    ("D", "36.2 ms", "right", "right; exactly 0.036249 s"),
    ("D", "3.62e-2", "right", "right; exactly 0.036249 s"),
    ("D", "36 249 µs", "right", "right; exactly 0.036249 s"),
    ("operations", "52,538", "right", "right"),
    ("D", "1.218 ms", "wrong", "not yet: that is one operation"),
    ("D", "36.2", "wrong", f"not yet: {texts.MILLISECONDS}"),
    ("X", "0.0685", "wrong", f"not yet: {texts.RECIPROCAL}"),
    ("D", "fast", "wrong", texts.not_a_number("s")),
    ("R_disk", "1", "unchecked", texts.UNCHECKED),
    ("X", "   ", "blank", ""),
    ("X_guess", "20", "unchecked", texts.KEPT),
    ("X_guess", "twenty", "wrong", texts.not_a_number("1/s")),
]  # fmt: skip
"""Key, answer, and the kind and text of its verdict."""


def test_an_answer_gets_its_verdict(lesson):
    for key, text, kind, verdict in VERDICTS:
        output = answer(lesson, key, text)
        shown = (key, text, output.get_attribute("class"), output.text_content())
        assert shown == (key, text, kind, verdict)
        assert output.get_attribute("aria-live") == "polite"
    assert lesson.requests == [] and "Content Security Policy" not in lesson.console
    assert "Uncaught" not in lesson.console


def answers_of(table) -> list[str]:
    """Answers as students write them: right and wrong values in many forms, and texts that are no number."""
    values = [
        table.right,
        *(value for value, _ in table.slips),
        *(v for _, v, *_ in table.quantities),
    ]
    values += [value for _, value, _ in table.answers]
    values += [a / b for a in values[:4] for b in values[-4:] if b] + [
        a * b for a in values[:3] for b in values[-3:]
    ]
    values += [factor * table.right for factor, _ in table.factors]
    values += [
        value * factor for value, _ in table.slips for factor, _ in UNIT_FACTORS.get(table.unit, ())
    ]
    right = table.right
    values += [1 / right, 1 - right, -right] if right else []
    values += [
        right * (1 + sign * part) for part in (0.0049, 0.0051, 0.03, 0.07, 3) for sign in (1, -1)
    ]
    written = [f"{value:.{n}g}" for value in values for n in (2, 3, 5, 12)]
    for value in values[:6]:
        written += [
            f"{value * 1e3:.4g} ms", f"{value * 1e6:,.0f} µs", f"{value * 100:.3f} %", f"{value:.4f}".replace(".", ","),
            f"{value:,.2f}", f"{value:.0f}.", f"−{abs(value):.3f}", f"{value:.3e}", f"{value:,.1f}".replace(",", " "),
            f"{value * 60:.4g} /min", f"{value / 1024:.5g} KiB", f"{value:.3f} s", f"{value:.4g} 1/s",
        ]  # fmt: skip
    return [*written, "1e999", "-1e400 ms", "1 2 3", "1,2,3", "1,234,5", ",5", ".", "-", "1e", "1.2.3", "0", "0 %",
            "NaN", "inf", "twelve", "12 twelve", "1'000", "1\u202f765", "+14.6", "2.5e-400"]  # fmt: skip


def verdicts(opened, given, step: int = 1):
    """(question, answer, verdict of the page, verdict of the notebook) of many answers to a lesson's questions."""
    tables = {
        q: question_table(q, given) for q in given.lesson.questions if isinstance(q, Question)
    }
    entered = [
        (question, text)
        for question, table in tables.items()
        if table.right is not None
        for text in answers_of(table)[::step]
    ]
    judged = opened.tab.evaluate(
        "([tables, entered]) => entered.map(([key, text]) => Object.values(queuevisorJudge(tables[key], text)))",
        [
            {question.key: table.to_json() for question, table in tables.items()},
            [(question.key, text) for question, text in entered],
        ],
    )
    return [
        (question.key, text, tuple(in_page), dataclasses.astuple(judge(question, given, text)))
        for (question, text), in_page in zip(entered, judged, strict=True)
    ]


def test_the_page_judges_as_the_notebook_does(lesson):
    rows = verdicts(lesson, small_lesson.given())
    assert [row for row in rows if row[2] != row[3]] == []
    assert len(rows) > 1000 and {kind for *_, (kind, _) in rows} == {"right", "wrong"}
    assert len({text for *_, (_, text) in rows}) > 100


def test_the_page_judges_the_course_s_questions_as_the_notebook_does(lesson):
    """Lessons whose right answers take little time, on the recorded study."""
    for number in (2, 6, 7, 8, 9):
        rows = verdicts(lesson, open_lesson(number).given, step=11)
        assert [row for row in rows if row[2] != row[3]] == []
        assert len(rows) > 50


def test_a_choice_says_why_it_is_wrong(lesson):
    assert lesson.tab.get_by_text("Utilization Law").count() == 1, (
        "the options stand in the box only"
    )
    for letter, verdict in (("a", "not yet: it has no N"), ("b", "right. U = X S")):
        box(lesson, "why").locator(f"input[value={letter}]").check()
        box(lesson, "why").locator("[type=submit]").press("Enter")
        expect(box(lesson, "why").locator("output")).to_have_text(verdict)


def test_steps_are_ordered_by_keys_alone(lesson):
    form = box(lesson, "way")
    form.locator("[type=submit]").press("Enter")
    output = form.locator("output")
    expect(output).to_have_text("not yet: 'be served' does not stand there")
    up = form.get_by_role("button", name="Move up: wait")
    up.press("Enter")
    expect(up).to_be_focused()
    expect(output).to_have_text("now number 2 of 3")
    form.locator("[type=submit]").press("Enter")
    expect(output).to_have_text("right")


def test_answers_are_kept_and_counted_until_they_are_deleted(browser, path):
    opened = browser.open(path)
    expect(progress(opened)).to_have_text("0 of 6 right")
    expect(opened.tab.locator(".reveal")).to_have_text(
        "X_guess: its value is shown after an answer to because"
    )
    answer(opened, "X", "14.6")
    answer(opened, "D", "1.218 ms")
    box(opened, "because").locator("textarea").fill("By the definition of X.")
    box(opened, "because").locator("[type=submit]").click()
    answer(opened, "X_guess", "20 /s")
    expect(opened.tab.locator(".reveal")).to_have_text(
        "X_guess: you predicted 20 /s; it is 14.6 1/s"
    )
    opened.tab.reload()
    expect(progress(opened)).to_have_text("1 of 6 right")
    expect(box(opened, "X").locator("input")).to_have_value("14.6")
    expect(box(opened, "X").locator("output")).to_have_class("right")
    expect(box(opened, "D").locator("output")).to_have_text("not yet: that is one operation")
    expect(box(opened, "because").locator("textarea")).to_have_value("By the definition of X.")
    expect(opened.tab.locator(".reveal")).to_contain_text("you predicted 20 /s")
    kept = opened.tab.evaluate(
        "(place) => localStorage.getItem(place)", f"queuevisor-lesson {STUDY} {PAGE}"
    )
    assert {name: json.loads(kept)[name] for name in ("right", "total")} == {"right": 1, "total": 6}
    opened.tab.once("dialog", lambda dialog: dialog.accept())
    opened.tab.locator(".lesson-progress button").click()
    expect(progress(opened)).to_have_text("0 of 6 right")
    expect(box(opened, "X").locator("input")).to_have_value("")
    assert opened.tab.evaluate("localStorage.length") == 0


KEPT_BY_OTHERS = [
    '{"answers": {"X": 5, "way": "x", "why": ["a"], "U": "z"}}',
    '{"answers": 1}',
    "[1]",
    "{",
    "null",
]


def test_what_was_kept_by_something_else_does_no_harm(lesson):
    for kept in KEPT_BY_OTHERS:
        lesson.tab.evaluate(
            "([place, kept]) => localStorage.setItem(place, kept)",
            [f"queuevisor-lesson {STUDY} {PAGE}", kept],
        )
        lesson.tab.reload()
        expect(answer(lesson, "X", "14.6")).to_have_class("right")
        expect(progress(lesson)).to_have_text("1 of 6 right")
    assert "Uncaught" not in lesson.console


def test_a_browser_that_keeps_nothing_judges_all_the_same(lesson):
    lesson.tab.add_init_script(STORAGE_REFUSED)
    lesson.tab.reload()
    expect(answer(lesson, "X", "14.6")).to_have_class("right")
    expect(progress(lesson)).to_have_text("1 of 6 right; this browser keeps no answers")
    assert "Uncaught" not in lesson.console


def test_solutions_are_folded_and_predictions_have_none(lesson):
    solutions = lesson.tab.locator("details.solution")
    assert solutions.count() == 8
    for code in lesson.tab.locator(".code").all():
        expect(code).to_be_hidden()
    solutions.first.locator("summary").click()
    expect(solutions.first.locator(".code")).to_contain_text("X = 1765 / 120.85")
    assert "check.predict" not in lesson.dom and "check.reveal" not in lesson.dom


def test_boxes_are_lines_on_paper(lesson):
    lesson.tab.emulate_media(media="print")
    assert lesson.tab.locator("details.solution:visible, .question button:visible").count() == 0
    style = box(lesson, "X").locator("input").evaluate("(e) => [getComputedStyle(e).borderTopWidth,"
                                                       " getComputedStyle(e).borderBottomWidth]")  # fmt: skip
    assert style == ["0px", "1px"]


def test_nothing_is_cut(lesson):
    answer(lesson, "D", "63.98")
    box(lesson, "way").locator("[type=submit]").click()
    lesson.unfold()
    for width in SCREENS:
        lesson.tab.set_viewport_size({"width": width, "height": 900})
        assert (width, lesson.cut()) == (width, [])


def test_nothing_keeps_a_reader_out(browser, path):
    opened = browser.open(path, bypass_csp=True)
    answer(opened, "X", "14.6")
    answer(opened, "D", "63.98")
    opened.unfold()
    assert opened.violations() == []
    opened.tab.emulate_media(color_scheme="dark")
    assert opened.violations("color-contrast") == []
