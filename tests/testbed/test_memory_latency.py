"""The walk through memory: every cache line once, as many steps as there are, and what is noted of it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "testbed"))

from qvtestbed import memory_latency


@pytest.mark.parametrize("lines", [2, 3, 1000])
def test_a_walk_goes_through_every_line_once(lines):
    cells = memory_latency.ring(lines * memory_latency.LINE_BYTES)
    assert len(cells) * cells.itemsize == lines * memory_latency.LINE_BYTES
    seen, at = set(), 0
    while at not in seen:
        seen.add(at)
        at = cells[at]
    assert at == 0 and seen == set(range(0, len(cells), 8))
    assert memory_latency.walk(cells) == lines


def test_the_next_line_is_seldom_the_next_in_memory():
    """Else the processor would fetch ahead, and memory would seem fast."""
    cells = memory_latency.ring(1000 * memory_latency.LINE_BYTES)
    near = sum(abs(cells[at] - at) <= 16 for at in range(0, len(cells), 8))
    assert near < 20


def test_a_note_is_about_the_seconds_of_the_load_alone():
    lines = [
        f"{second * 10**9} {ns}" for second, ns in enumerate([900, 100, 110, 120, 130, 140, 900])
    ]
    window = {"start_ns": 10**9, "end_ns": 5 * 10**9}
    said = memory_latency.note("\n".join([*lines, "6000000000 12", "7"]), window)
    assert (
        said == "cache walk over 4 MiB under load: 120 ns a step (quartiles 105 and 135, 5 walks)"
    )
    assert memory_latency.note("\n".join(lines[:4]), window) is None
    assert memory_latency.note("", window) is None


def test_it_writes_a_line_a_second_until_it_is_ended(tmp_path):
    log = tmp_path / "walks"
    started = time.time_ns()
    process = subprocess.Popen([sys.executable, "-B", memory_latency.__file__, str(log)])
    try:
        deadline = time.monotonic() + 60
        while not log.exists() or log.read_text().count("\n") < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(10)
    rows = [line.split() for line in log.read_text().splitlines()]
    assert all(int(at) >= started and float(ns) > 0 for at, ns in rows)


def test_now_is_the_middle_walk(monkeypatch):
    steps = iter([900.0, 120.0, 130.0, 110.0, 125.0])
    monkeypatch.setattr(memory_latency, "step_ns", lambda cells: next(steps))
    assert memory_latency.now_ns(5) == 125
