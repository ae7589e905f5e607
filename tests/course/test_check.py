"""What a notebook calls: verdicts shown, hints raised, answers kept."""

import polars as pl
import pytest
from small_lesson import given

from pipeline.course import check as checks
from pipeline.course import texts
from pipeline.course.check import Check, Hint


@pytest.fixture
def shown(monkeypatch):
    outputs = []
    monkeypatch.setattr(checks, "display", lambda data, raw: outputs.append(data))
    return outputs


@pytest.fixture
def check(shown) -> Check:
    return Check(given())


def hint(call, *arguments) -> str:
    with pytest.raises(Hint) as raised:
        call(*arguments)
    assert raised.value._render_traceback_() == [str(raised.value)]
    return str(raised.value)


def test_a_right_answer_is_shown_with_its_unit_and_the_data_of_its_page(check, shown):
    check("X", 14.6)
    (output,) = shown
    assert output["text/plain"].startswith("X = 14.6 1/s: right; exactly 14.605")
    page = output[checks.QUESTION_MIME]
    assert page["kind"] == "number" and page["right"] == pytest.approx(14.6047, rel=1e-5)
    assert ("C", 1765.0, "1", "transactions completed") in page["quantities"]
    assert [key for key, *_ in page["answers"]] == ["U", "D", "operations"]


def test_a_wrong_answer_raises_its_hint_and_is_carried_forward(check):
    hint(check, "X", 16.0)
    assert hint(check, "D", 63.98 / 120.851545 / 16).endswith(texts.follows_from("X"))
    check("X", 14.6)
    assert texts.follows_from("X") not in hint(check, "D", 63.98 / 120.851545 / 16)


def test_choice_order_and_text(check):
    assert "it has no N" in hint(check.choose, "why", "a")
    assert hint(check.choose, "why", "z").endswith("a, b")
    check.choose("why", "b")
    assert "one waits before" in hint(check.order, "way", ["wait", "arrive", "be served"])
    assert hint(check.order, "way", ["wait"]).endswith(texts.ORDER_IS_NOT_THE_STEPS)
    check.order("way", ["arrive", "wait", "be served"])
    assert texts.BLANK in hint(check.say, "because", ...)
    check.say("because", "U is B over T")
    assert check.records["because"].answers == ["U is B over T"]


def test_a_prediction_is_kept_and_shown_again(check, shown):
    hint(check.predict, "X_guess", ...)
    check.predict("X_guess", "10 /s")
    check.reveal("X_guess")
    assert shown[-1]["text/plain"] == texts.prediction("X_guess", "10 1/s", "14.6 1/s")
    assert shown[-1][checks.QUESTION_MIME]["kind"] == "reveal"


def test_an_unknown_key_names_the_keys(check):
    assert "X, U, D" in hint(check, "Y", 1.0)


def test_the_table_of_what_was_answered_so_far(check):
    hint(check, "X", 16.0)
    check("X", 14.6)
    table = check.so_far()
    assert table.rows()[0] == ("X", "14.6", 2, True)
    assert table.filter(pl.col("tries") == 0)["right"].null_count() == table.height - 1
