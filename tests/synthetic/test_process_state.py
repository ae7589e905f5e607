"""CPU time in top and tasks.log is that of the simulated run."""

import numpy as np
import polars as pl
import pytest

from pipeline.synthetic.clocks import NS_PER_S
from pipeline.synthetic.process_table import FIRST_WORKER, qemu_pid
from synthetic.helpers import received_between, seconds_of


@pytest.mark.parametrize("role", ["web", "db"])
def test_cpu_time_of_the_server(simulated, role):
    """TIME+ of each process increases by the CPU time of its threads, up to two ticks of rounding."""
    guest = simulated.history.guests[role]
    rows = simulated.table("top_processes", role)
    name = "apache2" if role == "web" else "mariadbd"
    rows = rows.filter(pl.col("command") == name).sort("pid", "snapshot")
    checked = 0
    for _, process in rows.group_by("pid", maintain_order=True):
        times_s = seconds_of(simulated, role, process)
        first, last = times_s[0], times_s[-1]
        pid = process["pid"][0]
        if role == "db":
            owners = range(FIRST_WORKER - 1, FIRST_WORKER + len(guest.started_s))
        elif pid == 277:
            owners = [FIRST_WORKER - 1]
        else:
            owners = [FIRST_WORKER + (pid - 282 if pid < 700 else pid - 700)]
        received_s = sum(received_between(guest.cpu, owner, first, last) for owner in owners)
        increase = process["cpu_time_s"][-1] - process["cpu_time_s"][0]
        # A stamp is later than the counters by about 0.5 ms: CPU time in between is not counted.
        assert increase == pytest.approx(received_s, abs=0.02 + 0.012)
        checked += increase > 0
    assert checked >= (0 if guest.load is None else 1)


@pytest.mark.parametrize("role", ["web", "db"])
def test_cpu_percent_is_the_increase_of_cpu_time(simulated, role):
    rows = simulated.table("top_processes", role).sort("pid", "snapshot")
    increase = rows.with_columns(
        grown=pl.col("cpu_time_s").diff().over("pid"),
        length=(pl.col("time").diff().over("pid").dt.total_nanoseconds() / NS_PER_S),
    ).drop_nulls("grown")
    difference = (increase["grown"] / increase["length"] * 100 - increase["cpu_percent"]).abs()
    assert increase.height > 100
    assert difference.max() < 1.0
    assert increase["cpu_percent"].max() > 1


def test_task_counters_of_the_host(simulated):
    """tasks.log of the host: the vCPU thread has the guest's busy time, guest mode counted separately."""
    history = simulated.history
    threads = simulated.table("tasks", "host")
    for number, guest in enumerate(history.guests.values()):
        rows = threads.filter(pl.col("tid") == qemu_pid(number) + 16).sort("snapshot")
        times_s = seconds_of(simulated, "host", rows)
        busy = sum(
            received_between(guest.cpu, int(owner), times_s[0], times_s[-1])
            for owner in np.unique(guest.cpu.owner)
        )
        received_s = rows["utime_ticks"] + rows["stime_ticks"]
        assert (received_s[-1] - received_s[0]) / 100 == pytest.approx(busy, abs=0.03)
        share = guest.server.exit_share
        system = rows["stime_ticks"][-1] - rows["stime_ticks"][0]
        assert system / 100 == pytest.approx(share * busy, abs=0.02)
        in_guest = rows["guest_time_ticks"]
        if history.plan.accelerator == "kvm":
            assert (in_guest[-1] - in_guest[0]) / 100 == pytest.approx((1 - share) * busy, abs=0.02)
        else:
            assert (in_guest == 0).all()
