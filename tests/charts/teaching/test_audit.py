"""Lesson 7's figure: the throughput that the published demands allow, against formulas and a textbook."""

import pytest
from teaching_figures import PUBLISHED, texts

from pipeline import charts
from pipeline.charts.teaching.audit import allowed_throughput, published_servers


@pytest.fixture(scope="module")
def spec() -> dict:
    return charts.with_theme(charts.audit(PUBLISHED))


def test_the_demands_are_those_behind_equation_10():
    first = published_servers(PUBLISHED, "db", 16)[0]
    cpu, vdisk, disk = (1e3 * demand for demand in first["demands_s"])
    assert (cpu, first["X"], first["N"]) == (3.8, 77.5, 16)
    assert vdisk == pytest.approx(9.7 / (1 + 77.5 * 0.0097))
    assert vdisk / (1 - 77.5 * vdisk / 1e3) == pytest.approx(9.7)
    assert disk == pytest.approx(2.2 / (1 + 77.5 * 0.0022))


def test_the_band_is_that_of_the_balanced_job_bounds():
    first = published_servers(PUBLISHED, "db", 16)[0]
    curve = allowed_throughput(first, 0.0)
    total, largest = sum(first["demands_s"]), max(first["demands_s"])
    assert curve["N"] == list(range(1, 33))
    for column in ("low", "high", "exact"):
        assert curve[column][0] == pytest.approx(1 / total) == pytest.approx(89.152, rel=1e-4)
    assert curve["low"][15] == pytest.approx(16 / (total + 15 * largest), rel=1e-5)
    assert curve["low"][15] == pytest.approx(169.71, rel=1e-4)
    assert (
        curve["high"][15] == pytest.approx(1 / largest, rel=1e-5) == pytest.approx(180.59, rel=1e-4)
    )
    assert all(
        low <= exact + 1e-6 and exact <= high + 1e-6
        for low, exact, high in zip(curve["low"], curve["exact"], curve["high"], strict=True)
    )


def test_the_curve_is_that_of_the_textbook_s_example():
    # Lazowska et al. 1984, chapter 6: demands of 0.605, 2.1 and 1.35 s, a think time of 15 s
    curve = allowed_throughput({"demands_s": [0.605, 2.1, 1.35]}, 15_000)
    assert curve["exact"][:3] == pytest.approx([0.05248, 0.10309, 0.15152], abs=5e-6)


def test_the_published_point_lies_below_the_band_until_threads_think(spec):
    drawn = texts(spec)
    assert "16 threads with a think time of 0 ms: X from 170 to 181/s, exactly 180/s" in drawn
    assert "Published: 77.5/s, below the band." in drawn and "One thread: 89.2/s" in drawn
    drawn = texts(spec, think_ms=190)
    assert "Published: 77.5/s, within the band." in drawn
    assert "Published: 77.5/s, above the band." in texts(spec, think_ms=400)
    drawn = texts(spec, server="second")
    assert "Published: 54.7/s, below the band." in drawn and "One thread: 36.5/s" in drawn
