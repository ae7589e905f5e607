"""Figures of lessons 8 and 9: MVA, asymptotes and N* against numbers by hand, and the texts."""

import pytest
from teaching_figures import CLOSED, texts

from pipeline import charts
from pipeline.charts.teaching.closed import FACTORS, sweeps
from pipeline.charts.teaching.closed_curves import closed_curves, station_demands_s


def test_mva_by_hand_for_one_and_two_customers():
    cpu, layer, disk = station_demands_s(CLOSED.row(4, named=True))
    assert [1e3 * cpu, 1e3 * layer, 1e3 * disk] == pytest.approx([60.08, 6.40, 28.35])
    curve = closed_curves([[cpu, layer, disk]])[0]
    total = cpu + layer + disk
    # with one customer inside, its share at each station is D/ΣD
    second = sum(demand * (1 + demand / total) for demand in (cpu, layer, disk))
    assert curve["N"] == list(range(1, 33))
    assert curve["R"][:2] == pytest.approx([1e3 * total, 1e3 * second])
    assert curve["R"][:2] == pytest.approx([94.83, 141.8], rel=1e-3)
    assert curve["X"][1] == pytest.approx(2 / second, rel=1e-6)
    assert curve["R"][15] == pytest.approx(961.3, rel=1e-4)
    assert (curve["total"], curve["largest"]) == pytest.approx((94.83, 60.08))
    for n, response, throughput in zip(curve["N"], curve["R"], curve["X"], strict=True):
        assert response >= max(curve["total"], n * curve["largest"]) * (1 - 1e-6)
        assert throughput * response == pytest.approx(1e3 * n, rel=1e-5)


def test_runs_belong_to_the_sweep_of_their_name():
    frame = sweeps(CLOSED)
    assert dict(zip(frame["run"], frame["sweep"], strict=True)) == {
        "db-01-sweep": "sweep", "db-32-sweep": "sweep", "db-01-sweep-7": "sweep-7",
        "db-32-sweep-7": "sweep-7", "db-16-a": "a",
    }  # fmt: skip


@pytest.fixture(scope="module")
def closed() -> dict:
    return charts.with_theme(charts.closed(CLOSED))


def test_mva_from_one_thread_s_run_against_the_recorded_one(closed):
    drawn = texts(closed)
    # 1/53.69 ms; the recorded 23.0 per second are above it
    assert "N* = 1.67, X never above 18.6/s" in drawn
    assert "32 threads: R by MVA 1,718 ms, recorded 1,386 ms (+24.0%)" in drawn
    drawn = texts(closed, sweep="sweep-7")
    assert any(
        text.startswith("32 threads: R by MVA 1,277 ms, recorded 1,270 ms (+0.6%)")
        for text in drawn
    )


def test_the_slider_multiplies_the_cpu_s_demand(closed):
    assert (FACTORS[0], FACTORS[-1], len(FACTORS)) == (0.5, 1.5, 21)
    drawn = texts(closed, sweep="sweep-7", cpu_factor=1.5)
    assert "Demands of db-01-sweep-7: CPU 59.8, layer 4.34, disk 25.6 ms" in drawn
    # 1000 / 59.85
    assert any(text.endswith("X never above 16.7/s") for text in drawn)


@pytest.fixture(scope="module")
def what_if() -> dict:
    return charts.with_theme(charts.closed_what_if(CLOSED.filter(run="db-16-a")))


def test_faster_hardware_and_the_target(what_if):
    drawn = texts(what_if)
    assert "16 threads: R 961.3 ms, X 16.64/s" in drawn
    assert "R stays within 600 ms with up to 9 threads" in drawn
    assert "N* = 1.58, X never above 16.6/s" in drawn
    # the CPU limits: a faster disk changes nothing that can be seen
    assert "16 threads: R 961.3 ms, X 16.64/s" in texts(what_if, disk_speed=2)
    drawn = texts(what_if, cpu_speed=2)
    assert any(text.startswith("16 threads: R 498.9 ms") for text in drawn)
    assert "On today's hardware: R 961.3 ms" in drawn
    assert "R is above 60 ms even with one thread" in texts(what_if, target=60)
    assert "R stays within 1,800 ms with up to 29 threads" in texts(what_if, target=1800)


def test_a_what_if_starts_from_one_run():
    with pytest.raises(ValueError, match="one run is expected"):
        charts.closed_what_if(CLOSED)
