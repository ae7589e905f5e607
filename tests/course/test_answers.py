"""Checked answers and the student's copy."""

import math

import polars as pl
import pytest

from pipeline.course.answers import QUESTIONS, Answers, Hint
from pipeline.tables import LEDGER, polars_schema

VALUES = {
    "T": 120.0,
    "lambda_total": 600.0,
    "T_cpu": 4.5,
    "R_cpu": 0.0075,
    "X_req": 5.0,
    "T_vdisk": 12.0,
    "U_vdisk_total": 0.1,
    "L_vdisk": 0.35,
    "Read_vdisk_total": 1024000.0,
    "Write_vdisk_total": 512000.0,
    "IO_vdisk_total": 1536000.0,
    "IO_vdisk_req": 1228800.0,
    "share_vdisk": 0.8,
    "U_vdisk_req": 0.08,
    "U_vdisk_own": 0.1,
    "D_vdisk": 0.02,
    "D_vdisk_as_printed": 0.004,
    "R_vdisk": 0.02 / 0.9,
    "R_client": 0.0056,
}


@pytest.fixture
def answers() -> Answers:
    rows = [
        {
            "virtual_server": "web",
            "quantity": QUESTIONS[name].symbol,
            **QUESTIONS[name].choices,
            "value": value,
        }
        for name, value in VALUES.items()
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    lacking = [name for name in polars_schema(LEDGER) if name not in frame.columns]
    return Answers(frame.with_columns(**dict.fromkeys(lacking)), "web")


def hint(answers: Answers, name: str, given: object) -> str:
    with pytest.raises(Hint) as raised:
        answers.check(name, given)
    assert raised.value._render_traceback_() == [str(raised.value)]
    return str(raised.value)


@pytest.mark.parametrize("name", VALUES)
def test_a_right_answer_is_right(answers, name, capsys):
    if name not in ("L_vdisk", "share_vdisk", "U_vdisk_own"):
        answers.check(name, VALUES[name] * (1 + 1e-9))
        assert "right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "given", "hinted"),
    [
        ("T", ..., "three dots"),
        ("T", "two minutes", "a number, not str"),
        ("T", 120e9, "nanoseconds"),
        ("T", math.inf, "not a finite number"),
        ("lambda_total", 5.0, "λ_total is a count"),
        ("R_cpu", 0.0375, "that is a utilization"),
        ("R_cpu", 0.9, "did you use the rate λ for the count"),
        ("R_cpu", 7.5, "milliseconds to seconds"),
        ("R_cpu", 0.015, "twice the right answer"),
        ("U_vdisk_total", 12.0, "divide it by T"),
        ("U_vdisk_total", 0.35, "time_in_queue"),
        ("U_vdisk_total", 10.0, "a ratio, not a percentage"),
        ("Read_vdisk_total", -1024000.0, "before minus after"),
        ("Read_vdisk_total", 2000.0, "sectors of 512 bytes"),
        ("IO_vdisk_req", 1536000.0, "the server's own tasks"),
        ("U_vdisk_req", 0.1, "the server's share of it"),
        ("D_vdisk", 0.004, "per request of a user"),
        ("D_vdisk", 0.016, "no other virtual server uses it"),
        ("R_vdisk", 0.02, "the queue is still missing"),
        ("R_vdisk", 0.02 / 1.1, "it is 1 − U"),
        ("R_vdisk", 0.02 / 0.92, "X D"),
        ("X_req", 0.2, "reciprocal"),
        ("T_cpu", 4.52, "Look at the ends of the window"),
        ("T_cpu", 3.3, "0.733 times"),
    ],
)
def test_a_wrong_answer_gets_a_hint(answers, name, given, hinted):
    assert hinted in hint(answers, name, given)


def test_what_the_run_cannot_say_stays_unchecked(answers, capsys):
    answers.check("R_disk", 1.0)
    assert "not checked" in capsys.readouterr().out
    with pytest.raises(ValueError, match="R_dsik"):
        answers.check("R_dsik", 1.0)
