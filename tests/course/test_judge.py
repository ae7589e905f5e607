"""Verdicts on answers."""

import math

import pytest
from small_lesson import LESSON, given

from pipeline.course import texts
from pipeline.course.judge import is_right, judge
from pipeline.course.number import number_of

X, U, S, D = 1765 / 120.851545, 63.98 / 120.851545, 63.98 / 52538, 63.98 / 1765


def verdict(key, answer, own=None):
    return judge(LESSON.question(key), given(), answer, own)


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("X", X), ("X", 14.6), ("X", "14,6"), ("X", "14.6 /s"), ("X", X * 1.0049), ("U", 0.529), ("U", "52.9 %"),
        ("D", "36.2 ms"), ("D", "36,25 ms"), ("D", 0.0362), ("operations", 52538), ("operations", "52,538"),
    ],
)  # fmt: skip
def test_an_answer_to_three_figures_in_any_unit_is_right(key, answer):
    assert verdict(key, answer).kind == "right"


def test_a_rounded_answer_is_right_though_the_tolerance_is_smaller():
    assert is_right(number_of(3.07), 3.0745, 0.001)
    assert not is_right(number_of(3.0), 3.0745, 0.001)
    assert not is_right(number_of(52500), 52538, 0)


@pytest.mark.parametrize(
    ("key", "answer", "hint"),
    [
        ("X", X * 1.006, texts.close(0.006)),
        ("X", 1 / X, texts.RECIPROCAL),
        ("X", X * 60, texts.PER_MINUTE),
        ("U", 52.94, texts.PERCENT),
        ("U", 1 - U, texts.COMPLEMENT),
        ("U", -U, texts.NEGATIVE),
        ("D", D * 1e3, texts.MILLISECONDS),
        ("D", S, "that is one operation"),
        ("D", S * 1e3, texts.and_also("that is one operation", texts.MILLISECONDS)),
        ("D", 2 * D, texts.TWICE),
        ("D", U, texts.other_answer("U")),
        ("D", 63.98, texts.given_number("B", "busy time of the disk", "s")),
        ("D", 63.98 * 120.851545, texts.combination("B · T")),
        ("D", 52538 / 1765, texts.combination("C_disk / C")),
        ("D", "36", texts.MILLISECONDS),
        ("D", 120.851545 - 63.98, texts.combination("T − B")),
        ("D", 120.851545 + 63.98, texts.combination("B + T")),
        ("D", 0.0777, texts.ratio(0.0777 / D)),
        ("D", math.inf, None),
        ("D", "fast", None),
        ("D", [1], None),
    ],
)
def test_a_wrong_answer_gets_the_hint_that_names_the_mistake(key, answer, hint):
    result = verdict(key, answer)
    assert result.kind == "wrong"
    if hint is not None:
        assert result.text == texts.not_yet(hint)


def test_a_coincidence_of_three_figures_is_no_combination():
    assert texts.combination("") not in verdict("D", 2.98e1).text


def test_an_error_carried_forward_names_the_answer_it_follows_from():
    own_X = 16.0
    assert verdict("D", U / own_X, {"X": own_X}).text == texts.not_yet(texts.follows_from("X"))
    assert verdict("D", U / own_X).text != texts.not_yet(texts.follows_from("X"))
    assert verdict("D", D, {"X": own_X}).kind == "right"


@pytest.mark.parametrize("answer", [..., None, "", "  "])
def test_a_blank_is_none(answer):
    assert verdict("X", answer).kind == "blank"


def test_what_a_study_has_no_value_for_is_not_checked():
    assert verdict("R_disk", 1.0).kind == "unchecked"
