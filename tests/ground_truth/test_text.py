"""What is read from the text is what happened: counted again by other means, within what the instruments round."""

import json
from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from pipeline.raw import RUN_FORMAT
from pipeline.synthetic.clocks import NS_PER_S
from pipeline.synthetic.event_history import CpuServices, Operations, identity
from pipeline.synthetic.host import simulate_run
from pipeline.synthetic.kernel_counters import disk_counters, io_ticks_ms, to_ticks
from pipeline.synthetic.process_table import (
    FIRST_CONNECTION,
    FIRST_WORKER,
    IOTHREAD_OFFSET,
    qemu_pid,
)
from pipeline.synthetic.raw_run_text import render_run_files
from pipeline.synthetic.study import FIRST_RUN_NS


def received_between(served: CpuServices, owner: int, first: float, last: float) -> float:
    """CPU time of one owner between two moments: each service cut at both, and added."""
    mine = served.owner == owner
    start = np.clip(served.start_s[mine], first, last)
    end = np.clip(served.end_s[mine], first, last)
    return float((served.cumulative_work(end) - served.cumulative_work(start)).sum())


def select(operations: Operations, chosen: np.ndarray) -> Operations:
    return Operations(*(getattr(operations, column.name)[chosen] for column in fields(operations)))


def seconds_of(simulated, role: str, frame: pl.DataFrame) -> np.ndarray:
    """Snapshot times of a table on the simulation's clock (s), by the offset that was really there."""
    told = json.loads(simulated.files["run.json"])["roles"][role]["clock_offset_ns"]
    uncertain_s = simulated.run.roles[role].clock_uncertainty_ns / NS_PER_S
    at = frame["time"].dt.epoch("ns").to_numpy()
    assert uncertain_s < 0.001
    return (at - told - FIRST_RUN_NS) / NS_PER_S


def test_everything_is_read(simulated):
    assert simulated.run.problems() == []
    assert simulated.outcome.problems == []
    assert simulated.outcome.warnings == []
    assert "rejects" not in simulated.outcome.frames
    for log in simulated.outcome.logs:
        assert log["rejects"] == 0
        assert log["record_lines"] + log["headers"] == log["lines"]
    assert len(simulated.outcome.logs) == 4 * 3 + 2 + len(simulated.loaded())


def test_the_same_seed_writes_the_same_text(simulated):
    history = simulated.history
    again = simulate_run(history.plan, "first", "run", history.seed)
    assert render_run_files(again, "known", FIRST_RUN_NS) == simulated.files
    other = render_run_files(simulate_run(history.plan, "first", "run", 12), "known", FIRST_RUN_NS)
    assert all(
        other[name] != text for name, text in simulated.files.items() if ".log" in name and text
    )


@pytest.mark.parametrize("role", ["web", "db"])
def test_cpu_time_of_the_server(simulated, role):
    """TIME+ of each process grows by what its threads received, but for two ticks that are cut off."""
    guest = simulated.history.guests[role]
    rows = simulated.table("top_processes", role)
    name = "apache2" if role == "web" else "mariadbd"
    rows = rows.filter(pl.col("command") == name).sort("pid", "snapshot")
    checked = 0
    for _, mine in rows.group_by("pid", maintain_order=True):
        at = seconds_of(simulated, role, mine)
        first, last = at[0], at[-1]
        pid = mine["pid"][0]
        if role == "db":
            owners = range(FIRST_WORKER - 1, FIRST_WORKER + len(guest.started_s))
        elif pid == 277:
            owners = [FIRST_WORKER - 1]
        else:
            owners = [FIRST_WORKER + (pid - 282 if pid < 700 else pid - 700)]
        used = sum(received_between(guest.cpu, owner, first, last) for owner in owners)
        growth = mine["cpu_time_s"][-1] - mine["cpu_time_s"][0]
        # A stamp is late by some 0.5 ms, and more rarely: what is used meanwhile is not on the row.
        assert growth == pytest.approx(used, abs=0.02 + 0.012)
        checked += growth > 0
    assert checked >= (0 if guest.load is None else 1)


@pytest.mark.parametrize("role", ["web", "db"])
def test_shares_of_cpu_are_growths_of_time(simulated, role):
    rows = simulated.table("top_processes", role).sort("pid", "snapshot")
    growth = rows.with_columns(
        grown=pl.col("cpu_time_s").diff().over("pid"),
        length=(pl.col("time").diff().over("pid").dt.total_nanoseconds() / NS_PER_S),
    ).drop_nulls("grown")
    off = (growth["grown"] / growth["length"] * 100 - growth["cpu_percent"]).abs()
    assert growth.height > 100
    assert off.max() < 1.0
    assert growth["cpu_percent"].max() > 1


@pytest.mark.parametrize("role", ["web", "db", "host"])
def test_disk_counters(simulated, role):
    """Operations, sectors, time in queue and busy time between the first snapshot and each other."""
    history = simulated.history
    disks = {"vda": history.guests[role].disk} if role != "host" else history.disks
    for device, disk in disks.items():
        rows = simulated.table("block", role).filter(pl.col("device") == device)
        at = seconds_of(simulated, role, rows)
        for kind, is_kind in (("read", ~disk.is_write), ("write", disk.is_write)):
            done = np.sort(disk.done_s[is_kind])
            grown = rows[f"{kind}s"].to_numpy() - rows[f"{kind}s"][0]
            # The stamp is some ms later than the look at the counters.
            most = np.searchsorted(done, at + 0.001) - np.searchsorted(done, at[0] - 0.01)
            least = np.searchsorted(done, at - 0.01) - np.searchsorted(done, at[0] + 0.001)
            assert (grown <= most).all() and (grown >= least).all()
            sectors = rows[f"{kind}_sectors"].to_numpy() - rows[f"{kind}_sectors"][0]
            assert (sectors == grown * 32).all()
        total = rows["read_ms"] + rows["write_ms"]
        assert (total == rows["time_in_queue_ms"]).all()
        busy_ms = rows["io_ticks_ms"].to_numpy()
        begins, ends = disk.busy_periods()
        wanted = 1000 * np.array(
            [np.clip(np.minimum(ends, x) - np.maximum(begins, at[0]), 0, None).sum() for x in at]
        )
        jiffy_ms = 0 if history.plan.monitoring.disk_counter == "exact" else 4
        noise_ms = 5 * 0.5 * jiffy_ms * np.sqrt(1 + len(begins)) + 12
        assert np.abs(busy_ms - busy_ms[0] - wanted).max() < noise_ms
        if jiffy_ms:
            assert (busy_ms[1:] - busy_ms[:-1]).max() % 4 == 0
        assert len(begins) > 5


@pytest.mark.parametrize("role", ["web", "db", "host"])
def test_bytes_of_tasks(simulated, role):
    """Rates times intervals add up to what each task handed over between the first and the last snapshot."""
    history = simulated.history
    totals = simulated.table("iotop_totals", role).unique("snapshot").sort("snapshot")
    at = seconds_of(simulated, role, totals)
    lengths = totals.select("snapshot").with_columns(length=pl.Series(np.diff(at, prepend=at[0])))
    rows = simulated.table("iotop_tasks", role).join(lengths, on="snapshot")
    moved = {
        tid: sums
        for tid, *sums in rows.group_by("tid")
        .agg(
            (pl.col("read_bytes_per_s") * pl.col("length")).sum(),
            (pl.col("write_bytes_per_s") * pl.col("length")).sum(),
        )
        .iter_rows()
    }
    wanted = {}
    if role == "host":
        for number, guest in enumerate(history.guests.values()):
            disk = history.disks[guest.server.host_disk]
            wanted[qemu_pid(number) + IOTHREAD_OFFSET] = select(disk, disk.owner == number)
    elif role == "db":
        guest = history.guests[role]
        for number in range(len(guest.started_s)):
            mine = select(guest.disk, guest.disk.owner == FIRST_WORKER + number)
            wanted[FIRST_CONNECTION + number] = mine
    else:
        disk = history.guests[role].disk
        wanted[135] = select(disk, disk.owner < FIRST_WORKER - 1)
    for tid, operations in wanted.items():
        inside = (operations.issued_s > at[0]) & (operations.issued_s <= at[-1])
        for place, is_kind in enumerate((~operations.is_write, operations.is_write)):
            bytes_moved = 16384 * int((inside & is_kind).sum())
            # Rounded rates, intervals by stamps that are off by parts of a ms, an operation at either end.
            near = pytest.approx(bytes_moved, rel=0.003, abs=2 * 16384 + 100)
            assert moved.get(tid, (0.0, 0.0))[place] == near
    assert sum(map(sum, moved.values())) > 0


def test_task_counters_are_the_kernels(simulated):
    """tasks.log of the host: the vCPU's thread ran what the guest's CPU was busy, guest mode apart."""
    history = simulated.history
    threads = simulated.table("tasks", "host")
    for number, guest in enumerate(history.guests.values()):
        rows = threads.filter(pl.col("tid") == qemu_pid(number) + 16).sort("snapshot")
        at = seconds_of(simulated, "host", rows)
        busy = sum(
            received_between(guest.cpu, int(owner), at[0], at[-1])
            for owner in np.unique(guest.cpu.owner)
        )
        used = rows["utime_ticks"] + rows["stime_ticks"]
        assert (used[-1] - used[0]) / 100 == pytest.approx(busy, abs=0.03)
        share = guest.server.exit_share
        system = rows["stime_ticks"][-1] - rows["stime_ticks"][0]
        assert system / 100 == pytest.approx(share * busy, abs=0.02)
        in_guest = rows["guest_time_ticks"]
        if history.plan.accelerator == "kvm":
            assert (in_guest[-1] - in_guest[0]) / 100 == pytest.approx((1 - share) * busy, abs=0.02)
        else:
            assert (in_guest == 0).all()


def test_what_the_clients_say(simulated):
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


def test_the_servers_own_logs(simulated):
    requests = simulated.outcome.frames["requests"]
    for guest in simulated.loaded().values():
        if guest.server.kind == "open":
            assert (requests["log"] == "access").sum() == len(guest.reply_s)
        else:
            commits = requests.filter(pl.col("target") == "COMMIT")
            assert commits.height == len(guest.reply_s)
            assert commits["connection"].n_unique() == guest.load.threads


def test_the_manifest_is_the_plan(simulated):
    run, history = simulated.run, simulated.history
    assert run.window.duration_s == pytest.approx(np.diff(history.window_s)[0], abs=1e-6)
    assert run.idle_before.duration_s == pytest.approx(30, abs=1e-6)
    for name, guest in history.guests.items():
        known = run.virtual_servers[name]
        assert (known.workload is None) == (guest.load is None)
        if known.workload is not None:
            assert known.workload.population == guest.load.threads
            assert known.workload.rate_per_s == guest.load.rate_per_s
            inside = known.workload.window
            assert run.window.start_ns <= inside.start_ns < inside.end_ns <= run.window.end_ns
            sent_s = guest.arrival_s.min()
            began_s = (inside.start_ns - FIRST_RUN_NS) / NS_PER_S
            assert 0 < sent_s - began_s < 0.01 + guest.load.think_time_s * 5
    assert set(run.roles) == {"client", "host", "web", "db"}
    assert run.manifest["format"] == RUN_FORMAT
    assert run.manifest["recorded_by"] == "queuevisor simulate"
    assert run.manifest["notes"][0].startswith("Simulated")


# -- the counters by themselves


def operations(issued: list[float], done: list[float]) -> Operations:
    number = len(issued)
    return Operations(
        np.zeros(number, np.int64),
        np.array(issued),
        np.array(done),
        np.array(done) - np.array(issued),
        np.zeros(number, bool),
    )


def test_three_generations_of_io_ticks():
    # Jiffies of 4 ms. A short operation inside a jiffy, one over its edge, two that overlap.
    disk = operations([0.0010, 0.0070, 0.0210, 0.0250], [0.0030, 0.0090, 0.0290, 0.0330])
    moments = np.array([0.005, 0.010, 0.023, 0.030, 0.040])

    def grown(how: str) -> list[int]:
        return io_ticks_ms(disk, moments, how, phase_s=0.0).tolist()

    assert grown("exact") == [2, 4, 6, 13, 16]
    # [21, 33] ms begins in the jiffy of 20 and ends in that of 32.
    assert grown("jiffies") == [0, 4, 4, 12, 16]
    # One a start in a new jiffy (1, 7, 21, 25 ms), the jiffies since the last event for an end in one.
    assert grown("sampled") == [4, 12, 16, 24, 28]


def test_a_sampled_disk_reads_busy_where_it_is_not_and_a_fixed_kernel_is_right_on_average():
    rng = np.random.default_rng(1)
    issued = np.sort(rng.uniform(0, 200, 4000))
    disk = operations(issued, issued + 0.0002)
    end = np.array([201.0])
    true_ms = io_ticks_ms(disk, end, "exact", 0.0)[0]
    assert true_ms == pytest.approx(800, rel=0.01)
    assert io_ticks_ms(disk, end, "jiffies", 0.001)[0] == pytest.approx(true_ms, rel=0.25)
    assert io_ticks_ms(disk, end, "sampled", 0.001)[0] > 15 * true_ms


def test_operations_in_flight_and_time_in_queue():
    disk = operations([1.0, 1.2, 2.0], [1.5, 1.7, 2.25])
    found = disk_counters(disk, np.array([1.3, 1.6, 3.0]), np.full(3, 4096), "exact", 0.0)
    assert found.in_flight.tolist() == [2, 1, 0]
    assert found.operations[0].tolist() == [0, 1, 3]
    assert found.sectors[0].tolist() == [0, 8, 24]
    assert found.time_ms[0].tolist() == [0, 500, 1250]
    assert found.operations[1].tolist() == [0, 0, 0]


def test_ticks_are_cut_down_and_not_rounded():
    assert to_ticks(np.array([0.0, 0.0099, 0.01, 0.0299])).tolist() == [0, 0, 1, 2]
    assert to_ticks(0.1 + 0.2) == 30  # floats that add up to a whole number do


def test_cpu_time_at_a_moment_in_the_middle_of_services():
    served = CpuServices(
        np.array([0, 1, 0]), np.array([0.0, 1.0, 3.0]), np.array([1.0, 3.0, 4.0]), identity
    )
    found = served.cpu_time_by_owner(np.array([0.5, 1.0, 2.5, 3.5, 9.0]), owners=2)
    assert found[0].tolist() == [0.5, 1.0, 1.0, 1.5, 2.0]
    assert found[1].tolist() == [0.0, 0.0, 1.5, 2.0, 2.0]
