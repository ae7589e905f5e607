"""Questions of lesson 4 on D/M/1, the queue with evenly spaced arrivals."""

from __future__ import annotations

import math

from pipeline.course.question import Question
from pipeline.course.streams import root

LOW, HIGH = 0.5, 0.9
"""Utilizations that the exercises on D/M/1 ask for."""
LOW_ROOT, HIGH_ROOT = root(LOW), root(HIGH)

EVEN_ARRIVALS = (
    Question(
        "sigma",
        "D/M/1 at U = 0.5: the root σ < 1 of σ = exp(−(1 − σ)/U)?",
        lambda g: LOW_ROOT,
        unit="1",
        tolerance=0.001,
        slips=(
            (
                lambda g: 1 - math.exp(-1 / LOW),
                "that is 1 minus one step of the iteration; go on until it stands still",
            ),
            (lambda g: LOW_ROOT**0.5, "that is the root of σ; σ itself is asked for"),
            (lambda g: LOW_ROOT**2, "that is σ²; σ itself is asked for"),
            (
                lambda g: LOW * math.exp(-1 / LOW),
                "that is U times one step of the iteration; iterate σ = exp(−(1 − σ)/U)",
            ),
            (lambda g: LOW_ROOT * LOW, "that is U σ; σ itself is asked for"),
            (
                lambda g: math.exp(-(1 - LOW)),
                "that is exp(−U), one step without the division by U; σ stands on both sides: iterate until it "
                "stands still",
            ),
            (
                lambda g: math.exp(-LOW * (1 - LOW)),
                "the exponent is (1 − σ) divided by U, not multiplied by it",
            ),
            (lambda g: root(LOW * LOW), "you divided by U two times: the exponent is −(1 − σ)/U"),
            (lambda g: LOW * LOW, "that is U²; put U into the equation and iterate"),
            (
                lambda g: 0.0,
                "σ = 0 solves it for U = 0 only; put it into the right side, and again",
            ),
            (
                lambda g: math.exp(-(1 - math.exp(-(1 - LOW) / LOW)) / LOW),
                "these are two steps of the iteration from U; go on until it stands still",
            ),
            (
                lambda g: math.exp(-(1 - math.exp(-(1 - math.exp(-(1 - LOW) / LOW)) / LOW)) / LOW),
                "these are three steps of the iteration from U; go on until it stands still",
            ),
            (
                lambda g: math.exp(-(1 - math.exp(-(1 - math.exp(-1 / LOW)) / LOW)) / LOW),
                "these are three steps of the iteration from 0; go on until it stands still",
            ),
            (lambda g: 1.0, "1 is always a root; find the other one, between 0 and 1"),
            (
                lambda g: math.exp(-1 / LOW),
                "that is one step of the iteration from 0; go on until it stands still",
            ),
            (
                lambda g: math.exp(-(1 - math.exp(-1 / LOW)) / LOW),
                "these are two steps of the iteration from 0; go on until it stands still",
            ),
            (lambda g: LOW, "σ = U is the root of M/M/1; put U into D/M/1's equation"),
            (
                lambda g: math.exp(-(1 - LOW) / LOW),
                "that is one step of the iteration from U; go on until it stands still",
            ),
            (
                lambda g: math.exp(-LOW),
                "that is exp(−U), one step without the division by U; σ stands on both sides: iterate until it "
                "stands still",
            ),
            (lambda g: HIGH_ROOT, "that is the root at U = 0.9"),
            (lambda g: LOW_ROOT / (1 - LOW_ROOT), "that is the wait; the root itself is asked for"),
        ),
    ),
    Question(
        "W_dm1",
        "What is its mean wait, in units of the mean service time S? (W = S σ/(1 − σ))",
        lambda g: g.answer("sigma") / (1 - g.answer("sigma")),
        unit="1",
        needs=("sigma",),
        slips=(
            (lambda g: (g.answer("sigma") + LOW) / 2, "no mean of σ and U: W = S σ/(1 − σ)"),
            (
                lambda g: g.answer("sigma") * (1 - g.answer("sigma")),
                "divide by 1 − σ, do not multiply",
            ),
            (lambda g: 1 / (1 - LOW), "that is M/M/1's response time, the service included"),
            (lambda g: LOW / (1 - LOW) / 2 * LOW, "that is half of U²/(1 − U); W = S σ/(1 − σ)"),
            (
                lambda g: 1 - g.answer("sigma"),
                "that is the share of requests that find the server free; W = S σ/(1 − σ)",
            ),
            (
                lambda g: g.answer("sigma") ** 2 / (1 - g.answer("sigma")),
                "σ once, not squared: W = S σ/(1 − σ)",
            ),
            (lambda g: HIGH_ROOT / (1 - HIGH_ROOT), "that is at U = 0.9"),
            (lambda g: LOW / (1 + LOW), "σ is not U, and it is 1 − σ below the line"),
            (lambda g: 0.0, "evenly spaced arrivals still wait: services differ"),
            (
                lambda g: LOW,
                "that is half of M/M/1's wait, by (c_a² + c_s²)/2: a good rule for bursts, twice too much here",
            ),
            (lambda g: LOW / (1 - LOW), "that is M/M/1's wait, U/(1 − U); put σ in its place"),
            (lambda g: g.answer("sigma"), "that is σ; W = S σ/(1 − σ)"),
            (
                lambda g: 1 / (1 - g.answer("sigma")),
                "that is the response time, the service included; the wait is asked for",
            ),
            (
                lambda g: g.answer("sigma") * LOW / (1 - g.answer("sigma")),
                "that is the mean number waiting, U W; the wait is asked for",
            ),
            (
                lambda g: LOW / (1 - g.answer("sigma")),
                "above the line stands σ, not U: D/M/1's share of requests that wait",
            ),
            (
                lambda g: g.answer("sigma") / (1 + g.answer("sigma")),
                "divide by 1 − σ, not by 1 + σ",
            ),
            (lambda g: g.answer("sigma") / (1 - LOW), "below the line stands 1 − σ, not 1 − U"),
        ),
    ),
    Question(
        "left_90",
        "At U = 0.9: which share of M/M/1's wait is left with evenly spaced arrivals?",
        lambda g: HIGH_ROOT / (1 - HIGH_ROOT) / (HIGH / (1 - HIGH)),
        unit="1",
        slips=(
            (
                lambda g: LOW_ROOT / (1 - LOW_ROOT) / (HIGH_ROOT / (1 - HIGH_ROOT) / 9),
                "that is the share at 0.5 over the share at 0.9; the latter is asked for",
            ),
            (lambda g: 1 - HIGH_ROOT, "that is 1 − σ; the share is W of D/M/1 over W of M/M/1"),
            (
                lambda g: HIGH_ROOT / (1 - HIGH_ROOT) / (LOW_ROOT / (1 - LOW_ROOT)),
                "you divided by D/M/1's wait at U = 0.5; divide by M/M/1's at 0.9",
            ),
            (
                lambda g: HIGH / (1 - HIGH) - HIGH_ROOT / (1 - HIGH_ROOT),
                "that is the difference, in units of S; the share is asked for",
            ),
            (lambda g: 1 / (1 - HIGH_ROOT), "that is D/M/1's response time in units of S"),
            (
                lambda g: HIGH_ROOT / (1 - HIGH_ROOT) * HIGH,
                "that is the mean number waiting; compare the waits",
            ),
            (lambda g: HIGH_ROOT / (1 - HIGH_ROOT) / HIGH, "M/M/1's wait is U/(1 − U), not U"),
            (lambda g: 0.1, "that is 1 − U; the share is W of D/M/1 over W of M/M/1"),
            (
                lambda g: HIGH_ROOT / (1 - HIGH_ROOT),
                "that is the wait in units of S; M/M/1's is 9 S",
            ),
            (lambda g: LOW_ROOT / (1 - LOW_ROOT), "that is the share at U = 0.5"),
            (lambda g: HIGH_ROOT, "that is σ; the share is W of D/M/1 over W of M/M/1"),
            (lambda g: 0.5, "that is the rule (c_a² + c_s²)/2; use D/M/1's root"),
            (
                lambda g: HIGH_ROOT / (1 - HIGH_ROOT) / (1 / (1 - HIGH)),
                "you divided by M/M/1's response time, 10 S; its wait is 9 S",
            ),
            (
                lambda g: 1 / (1 - HIGH_ROOT) * (1 - HIGH),
                "these are response times, the service included; waits are asked for",
            ),
            (
                lambda g: HIGH_ROOT / HIGH,
                "that is σ over U; compare the waits σ/(1 − σ) and U/(1 − U)",
            ),
            (lambda g: HIGH / (1 - HIGH), "that is M/M/1's wait in units of S"),
            (
                lambda g: HIGH / (1 - HIGH) / (HIGH_ROOT / (1 - HIGH_ROOT)) - 1,
                "that is how much longer M/M/1's wait is; D/M/1's over M/M/1's is asked for",
            ),
        ),
        note="At U = 0.5 it is 0.255: the lower the utilization, the larger the part of the wait that even arrivals avoid.",
    ),
)
