"""The simulated queues agree with queueing theory and with the operational laws."""

import numpy as np
import pytest

from pipeline.network.closed import mean_value_analysis
from pipeline.network.gg1 import gi_m_1, interarrival_transform, pollaczek_khinchine
from pipeline.synthetic.event_history import Operations
from pipeline.synthetic.host import simulate_run
from pipeline.synthetic.plan import Background, Load, Plan, VirtualServer
from pipeline.synthetic.process_table import FIRST_WORKER

NO_BACKGROUND = Background(0, 0, 0, 0, 0)


S = 0.010


LONG_S = 200.0


SEEDS = range(1, 7)


def run(load: Load, seed: int, seconds: float = LONG_S, **demands):
    kind = "open" if load.threads is None else "closed"
    fields = {
        "cpu_s": S,
        "disk_operations": 0,
        "network_s": 0.0,
        "background": NO_BACKGROUND,
        **demands,
    }
    server = VirtualServer("one", kind, **fields)
    plan = Plan({"one": server}, {"run": {"one": load}}, seconds=seconds, before_seconds=5)
    return simulate_run(plan, "first", "run", seed)


def mean_response_s(load: Load, **demands) -> np.ndarray:
    return np.array([run(load, seed, **demands).guests["one"].response_s.mean() for seed in SEEDS])


def assert_agrees(means: np.ndarray, exact: float) -> None:
    """The mean over seeds is within 4 standard errors, which are small, of the exact value."""
    error = means.std(ddof=1) / np.sqrt(len(means))
    assert error < 0.03 * exact
    assert abs(means.mean() - exact) < 4 * error + 1e-3 * exact


@pytest.mark.parametrize("scheduling", ["ps", "fcfs"])
def test_poisson_arrivals_at_an_exponential_cpu(scheduling):
    assert_agrees(mean_response_s(Load(rate_per_s=60), scheduling=scheduling), S / (1 - 0.6))


def test_processor_sharing_is_insensitive_to_service_variability():
    assert_agrees(mean_response_s(Load(rate_per_s=60), scheduling="ps", cpu_scv=0.0), S / (1 - 0.6))


@pytest.mark.parametrize("scv", [0.0, 0.5, 2.0])
def test_fcfs_agrees_with_pollaczek_khinchine(scv):
    wait = float(pollaczek_khinchine(60, S, scv))
    assert_agrees(mean_response_s(Load(rate_per_s=60), scheduling="fcfs", cpu_scv=scv), S + wait)


@pytest.mark.parametrize("scv", [0.0, 0.5, 2.0])
def test_non_poisson_arrivals_agree_with_gi_m_1(scv):
    wait = gi_m_1(interarrival_transform(60, scv), 60, S)
    load = Load(rate_per_s=60, arrivals_scv=scv)
    assert_agrees(mean_response_s(load, scheduling="fcfs"), S + wait)


def test_cpu_and_disk_in_tandem():
    """Product form: each station is an M/M/1."""
    means = mean_response_s(
        Load(rate_per_s=50), disk_operations=1, disk_s=0.008, layer_s=0.0, queue_depth=1000
    )
    assert_agrees(means, S / (1 - 0.5) + 0.008 / (1 - 0.4))


@pytest.mark.parametrize(("threads", "think_s"), [(1, 0.0), (4, 0.0), (8, 0.05)])
def test_closed_load_by_mva(threads, think_s):
    means = np.array(
        [
            len(history.guests["one"].reply_s) / LONG_S
            for seed in SEEDS
            for history in [
                run(
                    Load(threads=threads, think_time_s=think_s), seed,
                    disk_operations=2, disk_s=0.004, layer_s=0.0, queue_depth=1000,
                )
            ]
        ]
    )  # fmt: skip
    assert_agrees(means, mean_value_analysis([S, 0.008], threads, think_s).throughput)


def test_work_after_the_reply_is_not_in_the_response_time():
    guest = run(Load(rate_per_s=1), 1, cpu_after_reply_s=0.05).guests["one"]
    used = guest.cpu.total_s(FIRST_WORKER) / len(guest.reply_s)
    assert used == pytest.approx(0.06, rel=0.25)
    assert guest.response_s.mean() < 0.03


def test_demand_with_wake_ups_decreases_with_the_load():
    used = []
    for rate in (5, 40, 70):
        guest = run(Load(rate_per_s=rate), 3, wake_up_s=0.004).guests["one"]
        used.append(guest.cpu.total_s(FIRST_WORKER) / len(guest.reply_s))
    assert used[0] > used[1] > used[2] > S
    assert used[0] == pytest.approx(S + 0.004 * 0.94, rel=0.05)


@pytest.mark.parametrize("load", [Load(rate_per_s=45), Load(threads=6, think_time_s=0.03)])
def test_littles_law_and_the_utilization_law(load):
    history = run(load, 5, disk_operations=2, disk_s=0.003, network_s=0.001)
    guest = history.guests["one"]
    start, end = guest.load_start_s, guest.load_end_s
    # The mean number in the system, sampled every millisecond.
    times_s = np.arange(start, end, 0.001)
    arrived = np.searchsorted(np.sort(guest.arrival_s), times_s, side="right")
    inside = arrived - np.searchsorted(np.sort(guest.reply_s), times_s, side="right")
    throughput = len(guest.reply_s) / (end - start)
    in_system_s = guest.reply_s - guest.arrival_s
    assert inside.min() >= 0
    assert inside.mean() == pytest.approx(throughput * in_system_s.mean(), rel=0.01)
    if load.threads is not None:
        cycle_s = guest.response_s.mean() + load.think_time_s
        assert throughput * cycle_s == pytest.approx(load.threads, rel=0.02)
    # The CPU time of all owners is the time with a job present.
    there = Operations(
        guest.cpu.owner, guest.cpu.start_s, guest.cpu.end_s, guest.cpu.end_s, guest.cpu.owner < 0
    )
    begins, ends = there.busy_periods()
    assert guest.cpu.total_s(0) == pytest.approx((ends - begins).sum(), rel=1e-9)
    # The busy time of the disk is the service time of its operations.
    begins, ends = guest.disk.busy_periods()
    assert (ends - begins).sum() == pytest.approx(guest.disk.service_s.sum(), rel=1e-9)
    begins, ends = history.disks["loop0"].busy_periods()
    below_s = history.disks["loop0"].service_s.sum()
    assert (ends - begins).sum() == pytest.approx(below_s, rel=1e-9)
    assert guest.disk.service_s.sum() - below_s == pytest.approx(
        0.0005 * len(guest.disk.done_s), rel=1e-6
    )


def test_two_virtual_servers_contend_for_one_disk():
    one = VirtualServer(
        "one", "open", cpu_s=0.001, disk_s=0.01, disk_scv=1.0, background=NO_BACKGROUND
    )
    two = VirtualServer("two", "closed", cpu_s=0.001, disk_s=0.01, background=NO_BACKGROUND)
    loads = {"one": Load(rate_per_s=20), "two": Load(threads=3)}
    runs = {"alone": {"one": loads["one"]}, "both": loads}
    plan = Plan({"one": one, "two": two}, runs, seconds=100)
    alone, both = (simulate_run(plan, "first", name, 1).guests["one"] for name in runs)
    assert both.response_s.mean() > 1.5 * alone.response_s.mean()


def test_queue_depth_above_one_breaks_the_utilization_law():
    def busy_share(depth: int) -> float:
        guest = run(
            Load(threads=8), 1, 100, cpu_s=0.001, disk_operations=1, disk_s=0.005, layer_s=0.005,
            queue_depth=depth,
        ).guests["one"]  # fmt: skip
        begins, ends = guest.disk.busy_periods()
        return (ends - begins).sum() / guest.disk.service_s.sum()

    assert busy_share(1) == pytest.approx(1, rel=1e-9)
    assert busy_share(8) < 0.75


def test_processes_start_and_exit():
    guest = run(Load(rate_per_s=60), 2, 60, requests_per_process=50).guests["one"]
    born, died = (guest.started_s > 0).sum(), np.isfinite(guest.exited_s).sum()
    assert born > 0 and died > 0
    assert died >= len(guest.reply_s) // 50 - len(guest.started_s)
    for worker in range(len(guest.started_s)):
        is_own = guest.cpu.owner == FIRST_WORKER + worker
        if is_own.any():
            assert guest.cpu.start_s[is_own].min() >= guest.started_s[worker]
            assert guest.cpu.end_s[is_own].max() <= guest.exited_s[worker] + 1e-9
