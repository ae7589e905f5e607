"""Observations: labels of loads, saturation, variability of arrivals, and a simulated study with known values."""

import json
from dataclasses import replace

import numpy as np
import pytest
from synthetic_runs import closed_load, observation, open_load

from pipeline import ingest
from pipeline.measure.window import MissingData
from pipeline.model.observation import count_dispersion, observe, observe_study
from pipeline.raw import find_run, find_studies
from pipeline.synthetic.plan import Background, Load, Plan, VirtualServer
from pipeline.synthetic.study import write_study


def test_labels_and_levels_of_loads():
    assert (open_load(80, "even").label, open_load(80, "even").level) == ("80/s even", 80)
    assert (closed_load(16).label, closed_load(16).level) == ("16 threads", 16)
    assert replace(open_load(7.5), arrivals=None).label == "7.5/s"


@pytest.mark.parametrize(
    ("changed", "saturated"),
    [
        ({}, False),
        ({"errors": 1}, True),
        ({"throughput_per_s": 94.0}, True),
        ({"throughput_per_s": 96.0}, False),
    ],
)
def test_errors_or_a_low_throughput_mean_saturation(changed, saturated):
    assert observation(open_load(100), **changed).is_saturated is saturated


def test_a_closed_load_is_saturated_by_errors_only():
    assert not observation(closed_load(64), throughput_per_s=1.0).is_saturated
    assert observation(closed_load(64), errors=2).is_saturated


def test_the_dispersion_of_counts_is_the_variability_of_arrivals():
    random = np.random.default_rng(1)
    assert count_dispersion(random.poisson(30, 20000)) == pytest.approx(1, abs=0.05)
    assert count_dispersion(np.full(60, 40.0)) == 0
    gaps = random.gamma(1 / 3, 3 * 0.02, size=200_000)  # c² = 3, 50 a second
    counts = np.histogram(np.cumsum(gaps), np.arange(0, 3900))[0]
    assert count_dispersion(counts) == pytest.approx(3, rel=0.1)
    assert np.isnan(count_dispersion(np.array([5.0]))) and np.isnan(count_dispersion(np.zeros(9)))


# -- a simulated study ----------------------------------------------------------------------------------------

CALM = Background(0.002, 0.01, 0.0, 0.2, 0.0)
PLAN = Plan(
    {
        "web": VirtualServer("web", "open", cpu_s=0.006, cpu_after_reply_s=0.002, background=CALM),
        "db": VirtualServer(
            "db", "closed", cpu_s=0.01, disk_operations=2.0, host_disk="loop1", background=CALM
        ),
    },
    {
        "even": {"web": Load(rate_per_s=40, arrivals_scv=0.0)},
        "poisson": {"web": Load(rate_per_s=40)},
        "both": {"web": Load(rate_per_s=20), "db": Load(threads=3, think_time_s=0.05)},
    },
    seconds=30.0,
    before_seconds=15.0,
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "known"
    truth = json.loads(write_study(PLAN, folder, 3).read_text())["runs"]["first"]
    path = folder / "study.json"
    manifest = json.loads(path.read_text())
    manifest["held_out"] = ["first/poisson"]
    manifest["servers"]["first"]["envelope"]["cpu_quota"] = 1.5
    path.write_text(json.dumps(manifest))
    (found,) = find_studies(folder.parent)
    processed = folder.parent / "processed"
    ingest.ensure_ingested(list(found.runs()), processed)
    seen, lost = observe_study(found, processed, draws=50)
    return found, processed, {(one.run, one.virtual_server): one for one in seen}, lost, truth


def test_every_load_is_observed_with_its_true_values(study):
    _, _, seen, lost, truth = study
    assert lost == {}
    assert set(seen) == {("even", "web"), ("poisson", "web"), ("both", "web"), ("both", "db")}
    for (run, name), one in seen.items():
        true = truth[run]["virtual_servers"][name]
        assert one.throughput_per_s == pytest.approx(true["throughput_per_s"], rel=0.02)
        assert one.response_time_s == pytest.approx(true["response_time_s"], rel=0.02)
        assert one.run_demands.completions == true["requests"]
        assert one.load.kind == true["kind"]
        assert one.load.duration_s == pytest.approx(30, abs=2)
        assert one.operations_per_request["vdisk"] == pytest.approx(
            true["disk_operations"], abs=0.1
        )
        assert (one.capacity_cpus, one.errors, one.has_steal_clock) == (1.5, 0, True)
        assert one.path == f"first/{run}"
    assert {key for key, one in seen.items() if one.held_out} == {("poisson", "web")}
    assert {key[0] for key, one in seen.items() if not one.is_alone} == {"both"}
    db = seen["both", "db"].load
    assert (db.population, db.think_time_s, db.rate_per_s) == (3, 0.05, None)


def test_variability_of_arrivals_is_measured_from_the_servers_log(study):
    seen = study[2]
    assert seen["even", "web"].arrival_scv < 0.05
    # χ² of some 25 seconds: 0.5 to 1.6 times the truth
    assert 0.5 < seen["poisson", "web"].arrival_scv < 1.7
    assert seen["both", "db"].arrival_scv is None


def test_arrivals_unlike_the_trace_get_no_trace(study):
    """The simulated client prints httperf's words, and draws its own gaps."""
    for one in study[2].values():
        assert (one.load.trace, one.load.interarrival_s) == (None, None)
    assert study[2]["poisson", "web"].load.mean_rate_per_s == 40


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, root):
    """Two runs of the recorded study, httperf's own stream and an even one."""
    found = next(s for s in find_studies(root / "data" / "raw") if s.name == "kvm-case-study")
    runs = [found.runs("second", name)[0] for name in ("web-026-poisson-3", "web-026-even-3")]
    processed = tmp_path_factory.mktemp("processed")
    ingest.ensure_ingested(runs, processed)
    seen, lost = observe_study(found, processed, draws=10, runs=runs)
    assert lost == {}
    return {one.run: one for one in seen}


def test_the_trace_of_httperf_is_recognized_in_the_servers_log(recorded):
    poisson, even = recorded["web-026-poisson-3"], recorded["web-026-even-3"]
    assert (poisson.load.trace, poisson.load.requests) == ("httperf", 1560)
    assert poisson.load.mean_rate_per_s == pytest.approx(poisson.throughput_per_s, rel=0.003)
    assert poisson.arrival_scv == pytest.approx(1, abs=0.1)
    assert even.load.interarrival_s is None and even.load.mean_rate_per_s == 26


def test_neighbour_cpu_is_the_cpu_time_of_the_other_qemu_processes(study):
    seen, truth = study[2], study[4]
    db = truth["both"]["virtual_servers"]["db"]
    used = db["throughput_per_s"] * (db["stations"]["cpu"]["realised_s"] + db["iothread_s"])
    assert seen["both", "web"].neighbour_cpu == pytest.approx(used + 0.012, rel=0.15)
    assert seen["even", "web"].neighbour_cpu == pytest.approx(0.012, abs=0.01)


def test_missing_data_raises_its_reason(study):
    found, processed, *_ = study
    run = find_run(found.path.parent, "known", "first", "even")
    with pytest.raises(MissingData, match="no load"):
        observe(found, run, run.virtual_servers["db"], processed)
    other = find_run(found.path.parent, "known", "first", "poisson")
    (other.path / "client" / "httperf.log").unlink()
    empty = processed.parent / "without-client"
    ingest.ensure_ingested([other], empty)
    seen, lost = observe_study(found, empty, runs=[other])
    assert seen == [] and list(lost) == ["first/poisson/web"]
