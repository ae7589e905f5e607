"""Lesson 4's figure: waits against textbook values, and httperf's stream against a generator written out."""

import math

import pytest
from teaching_figures import texts

from pipeline import charts
from pipeline.charts.teaching.arrivals import UTILIZATIONS, approximate_wait, counted, exact_waits


def exact(kind: str, utilization: float) -> float:
    return next(
        row["wait"]
        for row in exact_waits()
        if row["kind"].startswith(kind) and row["u"] == utilization
    )


def test_the_waits_of_even_and_of_poisson_arrivals():
    # D/M/1: the root of s = exp(-(1 - s)/U), by iteration
    root = 0.0
    for _ in range(200):
        root = math.exp(-(1 - root) / 0.5)
    assert root == pytest.approx(0.20319, rel=1e-4)
    assert exact("D/M/1", 0.5) == pytest.approx(root / (1 - root), rel=1e-5)
    assert exact("M/M/1", 0.9) == pytest.approx(9)
    assert exact("D/M/1", 0.9) / 9 == pytest.approx(0.4643, rel=1e-3)
    poisson = approximate_wait(1.0)
    assert poisson == pytest.approx([u / (1 - u) for u in UTILIZATIONS], abs=2e-5)
    assert approximate_wait(0.0)[50] == pytest.approx(0.2567, abs=1e-4)


def test_the_stream_is_that_of_posix_erand48_from_httperf_s_seed():
    state = 0x1234 | 0x5678 << 16 | (0x9ABC ^ 0xFFFF) << 32
    times, now = [], 0.0
    while now < 60:
        state = (0x5DEECE66D * state + 0xB) % 2**48
        now += -math.log(1 - state / 2**48) / 26
        times.append(now)
    drawn = counted(26, 10)
    assert drawn["per_s"][2] == sum(1 <= time < 11 for time in times) / 10
    assert len(drawn["per_s"]) == 101
    start = drawn["busiest"]
    assert drawn["highest"] == sum(start <= time < start + 10 for time in times) / 10
    assert drawn["highest"] == pytest.approx(33.4) and 35 <= start <= 37
    assert drawn["highest"] >= max(drawn["per_s"])


def test_the_texts_follow_the_controls():
    spec = charts.with_theme(charts.arrivals())
    drawn = texts(spec)
    assert "U = 50%, c_a² = 0: W = 0.257 S (Krämer and Langenbach-Belz)" in drawn
    assert "Exactly: D/M/1 0.255 S, M/M/1 1 S: even arrivals keep 26% of the wait" in drawn
    assert any(
        text.startswith("Busiest 10 s of httperf's stream at 26/s: 33.4/s, from 3")
        for text in drawn
    )
    drawn = texts(spec, utilization=0.9, scv=1, rate=110, window_s=1)
    assert "U = 90%, c_a² = 1: W = 9 S (Krämer and Langenbach-Belz)" in drawn
    assert "Exactly: D/M/1 4.18 S, M/M/1 9 S: even arrivals keep 46% of the wait" in drawn
    assert any(text.startswith("Busiest 1 s of httperf's stream at 110/s: ") for text in drawn)
