"""Memory latency: the pointer chain visits each cache line once; the log and its summary."""

import subprocess
import sys
import time

import pytest
from qvtestbed import memory_latency


@pytest.mark.parametrize("lines", [2, 3, 1000])
def test_chain_visits_each_line_once(lines):
    chain = memory_latency.build_pointer_chain(lines * memory_latency.LINE_BYTES)
    assert len(chain) * chain.itemsize == lines * memory_latency.LINE_BYTES
    visited, cell = set(), 0
    while cell not in visited:
        visited.add(cell)
        cell = chain[cell]
    assert cell == 0 and visited == set(range(0, len(chain), 8))
    assert memory_latency.chase_pointers(chain) == lines


def test_consecutive_accesses_are_rarely_adjacent():
    """Else the processor would prefetch, and the measured latency would be too low."""
    chain = memory_latency.build_pointer_chain(1000 * memory_latency.LINE_BYTES)
    adjacent = sum(abs(chain[cell] - cell) <= 16 for cell in range(0, len(chain), 8))
    assert adjacent < 20


def test_summary_uses_samples_within_the_window_only():
    lines = [
        f"{second * 10**9} {ns}" for second, ns in enumerate([900, 100, 110, 120, 130, 140, 900])
    ]
    window = {"start_ns": 10**9, "end_ns": 5 * 10**9}
    summary = memory_latency.summarize_log("\n".join([*lines, "6000000000 12", "7"]), window)
    assert "120 ns per access (quartiles 105 and 135, 5 samples)" in summary
    assert "4 MiB" in summary
    assert memory_latency.summarize_log("\n".join(lines[:4]), window) is None
    assert memory_latency.summarize_log("", window) is None


def test_log_has_one_line_per_sample_until_the_program_is_ended(tmp_path):
    log = tmp_path / "latency"
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
    assert all(int(time_ns) >= started and float(ns) > 0 for time_ns, ns in rows)


def test_present_latency_is_the_median_of_the_samples(monkeypatch):
    samples = iter([900.0, 120.0, 130.0, 110.0, 125.0])
    monkeypatch.setattr(memory_latency, "measure_latency_ns", lambda chain: next(samples))
    assert memory_latency.measure_median_latency_ns(5) == 125
