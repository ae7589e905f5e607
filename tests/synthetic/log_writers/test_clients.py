"""Reports of both load generators: format of recorded reports, figures of the simulated run."""

import re

import numpy as np
import polars as pl
import pytest


def test_lines_have_the_format_of_recorded_reports(recorded, simulated):
    """Each line is in a recorded report, apart from numbers and the blanks before them."""

    def forms(text: str) -> set[str]:
        without = re.sub(r"\|\**", "|", text)
        without = re.sub(r"(--rate|--period)=\S+", "X", without)
        return {re.sub(r" *[0-9][0-9.]*", "#", line).rstrip() for line in without.splitlines()}

    logs = [name for name in simulated.files if re.fullmatch(r"client/.*\.log", name)]
    assert len(logs) == len(simulated.loaded())
    for log in logs:
        assert forms(simulated.files[log]) <= forms(recorded(log)), log


def test_figures_are_those_of_the_run(simulated):
    client = simulated.outcome.frames["client"]
    for guest in simulated.loaded().values():
        tool = "httperf" if guest.server.kind == "open" else "sysbench"
        rows = client.filter(pl.col("tool") == tool)
        row = rows.filter(pl.col("kind") == "summary").row(0, named=True)
        assert row["completions"] == len(guest.reply_s)
        latency = guest.reply_s - guest.arrival_s + guest.server.network_s
        step = 5e-5 if tool == "httperf" else 5e-6
        assert row["response_time_mean_s"] == pytest.approx(latency.mean(), abs=1.01 * step)
        window = simulated.run.virtual_servers[guest.server.name].workload.window
        assert row["elapsed_s"] < window.duration_s < row["elapsed_s"] + 0.02
        if tool == "httperf":
            assert row["connection_time_stddev_s"] == pytest.approx(latency.std(), abs=6e-5)
            assert row["throughput_per_s"] == pytest.approx(
                row["completions"] / row["elapsed_s"], rel=0.1
            )
            continue
        assert row["response_time_sum_s"] == pytest.approx(latency.sum(), abs=1e-4)
        assert row["response_time_max_s"] == pytest.approx(latency.max(), abs=1e-5)
        assert row["response_time_percentile_s"] == pytest.approx(
            np.quantile(latency, 0.95), rel=0.03
        )
        intervals = rows.filter(pl.col("kind") == "interval")
        seconds = simulated.history.plan.seconds
        ended = guest.reply_s + guest.server.network_s - guest.arrival_s.min()
        assert intervals["throughput_per_s"].sum() == (ended <= seconds).sum()
        assert intervals.height == seconds
