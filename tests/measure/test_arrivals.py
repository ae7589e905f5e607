"""The arrival trace of httperf: as httperf prints it, and recognized in a server's log."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from pipeline.measure.arrivals import HTTPERF, interarrival_s, matches_trace
from pipeline.measure.window import NS_PER_S
from pipeline.raw import Window

START_NS = 1_795_000_000 * NS_PER_S + 123_456_789


def test_only_httperf_has_a_trace():
    assert interarrival_s(None, 5.0, 10) is None
    assert interarrival_s("sysbench", 5.0, 10) is None
    assert interarrival_s(HTTPERF, 5.0, 10).shape == (10,)


def test_the_trace_scales_with_the_rate():
    long = interarrival_s(HTTPERF, 10.0, 500)
    assert interarrival_s(HTTPERF, 40.0, 200) == pytest.approx(long[:200] / 4)
    assert (long > 0).all()
    assert long.var() / long.mean() ** 2 == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    ("rate", "connections", "duration_s"),
    [(20, 1200, 55.4), (50, 3000, 58.6), (80, 4800, 59.5), (110, 6600, 59.9), (140, 8400, 59.9),
     (8, 480, 56.0), (16, 960, 57.8), (21, 1260, 55.0), (26, 1560, 57.0)],
)  # fmt: skip
def test_recorded_runs_lasted_as_long_as_the_trace(rate, connections, duration_s):
    """What httperf printed in the recorded study; the last reply comes a little after the last arrival."""
    assert interarrival_s(HTTPERF, rate, connections).sum() == pytest.approx(duration_s, abs=0.15)


@pytest.mark.skipif(
    not shutil.which("httperf"), reason="httperf is not installed (apt install httperf)"
)
def test_the_trace_is_what_httperf_prints():
    """httperf prints its gaps from the second on at its third level of verbosity; nothing listens at the port.

    On a busy machine it also schedules, and prints, one gap after its last connection.
    """
    output = subprocess.run(
        ["httperf", "--hog", "-v", "-v", "-v", "--timeout", "1", "--server", "127.0.0.1", "--port", "9",
         "--num-conns", "40", "--num-calls", "1", "--period=e0.05"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    delays = [
        float(x)
        for x in re.findall(r"next arrival delay = ([0-9.]+)", output.stdout + output.stderr)
    ]
    assert len(delays) >= 39
    expected = interarrival_s(HTTPERF, 20, 1 + len(delays))[1:]
    assert delays == pytest.approx(expected.tolist(), abs=6e-5)


def logged(gaps: np.ndarray, late_s: float = 0.0) -> np.ndarray:
    """Times that an access log would hold: whole seconds."""
    at = START_NS + ((np.cumsum(gaps) + late_s) * NS_PER_S).astype(np.int64)
    return at // NS_PER_S * NS_PER_S


def window(gaps: np.ndarray) -> Window:
    return Window(START_NS, START_NS + int(gaps.sum() * NS_PER_S))


@pytest.mark.parametrize("rate", [8, 26, 110])
def test_a_log_of_the_trace_is_recognized(rate):
    count = rate * 60
    known = interarrival_s(HTTPERF, rate, count)
    assert matches_trace(known, logged(known), window(known))
    assert matches_trace(known, logged(known, late_s=0.02), window(known))
    random = np.random.default_rng(5)
    for other in (random.exponential(1 / rate, count), np.full(count, 1 / rate), known[::-1]):
        assert not matches_trace(known, logged(other), window(known))


def test_a_log_of_a_few_seconds_matches_no_trace():
    known = interarrival_s(HTTPERF, 20, 200)
    assert not matches_trace(known, logged(known), window(known))
    assert not matches_trace(
        known, np.zeros(0, np.int64), window(interarrival_s(HTTPERF, 20, 1200))
    )
