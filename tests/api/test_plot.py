"""Charts of a run, and the CPU time of QEMU's threads at any time step."""

import polars as pl
import pytest

import pipeline as qv
from pipeline.api.stations import df_stations
from pipeline.api.timeline import THREADS, df_threads


@pytest.fixture(scope="module")
def run(known) -> qv.RunData:
    return qv.open_run(known.run.path, processed=known.processed)


def marks(spec: dict) -> list[dict]:
    """Every unit chart within a specification."""
    inside = [part for key in ("layer", "vconcat") for part in spec.get(key, [])]
    return [mark for part in inside for mark in marks(part)] if inside else [spec]


def test_every_chart_has_data_a_title_and_a_text_alternative(run):
    for name in ("utilization", "residence_time", "response_time", "throughput", "server_cpu",
                 "threads", "disks", "timeline"):  # fmt: skip
        spec = getattr(run.plot, name)().to_dict()
        assert spec["description"] and spec["datasets"], name
        assert all("encoding" in mark for mark in marks(spec)), name
    assert len(run.plot.timeline().vconcat) == 6  # the strip to zoom on, and five panels


def test_the_chart_of_utilization_shows_the_ledger_s_numbers(run):
    spec = run.plot.utilization().to_dict()
    shown = {
        round(row["utilization"], 6)
        for rows in spec["datasets"].values()
        for row in rows
        if row.get("utilization") is not None
    }
    assert {round(u, 6) for u in df_stations(run)["utilization"]} <= shown


def test_threads_add_up_to_the_same_cpu_time_at_every_step(run):
    window = run.run.window
    start, end = (
        pl.lit(ns).cast(pl.Datetime("ns", "UTC")) for ns in (window.start_ns, window.end_ns)
    )
    seconds = {}
    for step_s in (1.0, 2.5, 5.0):
        frame = run.threads(step_s=step_s)
        assert frame.schema == THREADS
        during = frame.filter(pl.col("time").is_between(start, end))
        seconds[step_s] = during["cpus"].sum() * step_s
    assert seconds[2.5] == pytest.approx(seconds[1.0], rel=0.1)
    assert seconds[5.0] == pytest.approx(seconds[1.0], rel=0.1)
    name = run.loaded[0].name
    same = df_threads(run, name, 2.5)["value"].to_list()
    assert same == run.threads(step_s=2.5)["cpus"].to_list()


def test_only_the_threads_of_a_role_or_the_reason_why_there_are_none(run):
    threads = run.threads()
    assert "vcpu" in set(threads["thread_role"])
    vcpu = run.threads(role="vcpu")
    assert vcpu["thread"].str.starts_with("CPU 0/").all() and 0 < vcpu.height < threads.height
    with pytest.raises(qv.Error, match=r"no iothreads thread .* roles: .*vcpu"):
        run.threads(role="iothreads")
    with pytest.raises(qv.Error, match="above 0"):
        run.threads(step_s=0.0)
    with pytest.raises(qv.Error, match="choose from"):
        run.threads("nobody")
