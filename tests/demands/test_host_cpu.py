"""CPU time of the host by thread role: counters of a KVM host written by hand, and of emulation."""

import datetime as dt
import json
from dataclasses import replace

import polars as pl
import pytest

from pipeline import ingest
from pipeline.demands import texts
from pipeline.demands.host_cpu import (
    CPU_STATIONS,
    HOST_CPU,
    estimate_host_cpu,
    host_cpu_frame,
    processor_wait_s,
)
from pipeline.measure.processes import with_thread_roles
from pipeline.measure.virtual_server import RunCounters
from pipeline.measure.window import MissingData
from pipeline.raw import find_run

NS = 1_000_000_000
EPOCH_S = 1_795_384_800
IDLE_S, LOAD_S, AFTER_S = 20, 40, 4
REQUESTS = 200

HTTPERF = f"""httperf --client=0/1 --server=10.0.2.15 --port=80 --uri=/ --rate=5 --num-conns={REQUESTS}
Total: connections {REQUESTS} requests {REQUESTS} replies {REQUESTS} test-duration {LOAD_S}.000 s
Reply rate [replies/s]: min 5.0 avg 5.0 max 5.0 stddev 0.0 (8 samples)
Reply time [ms]: response 5.6 transfer 0.0
Errors: total 0 client-timo 0 socket-timo 0 connrefused 0 connreset 0
"""

# thread -> (role, id, comm, ticks a second idle, ticks a second under load), ticks as user, system, guest
THREADS = {
    812: ("emulator", "-", "qemu-kvm", (1, 0, 0), (2, 2, 0)),
    815: ("vcpu", "0", "CPU 0/KVM", (1, 1, 1), (34, 6, 30)),
    816: ("vcpu", "1", "CPU 1/KVM", (0, 0, 0), (10, 2, 10)),
    817: ("iothread", "io0", "IO io0", (0, 0, 0), (1, 4, 0)),
    705: ("vhost", "812", "vhost-812", (0, 0, 0), (0, 4, 0)),
}
WORKER = 820
"""There from the 10th to the 20th second of the load; what it used after its last sample is in its process only."""


def ticks(rates: tuple, loaded: tuple, second: int) -> tuple[int, ...]:
    """Counters at a second of the log: 0 at its start."""
    busy = min(max(second - IDLE_S, 0), LOAD_S)
    return tuple(100 + r * (second - busy) + w * busy for r, w in zip(rates, loaded, strict=True))


def host_log(recorded_roles: bool, accelerator: str, guest_time: bool) -> str:
    lines = []
    for second in range(IDLE_S + LOAD_S + AFTER_S + 1):
        lines += [f"#T {(EPOCH_S + second) * NS} {second * NS} {second} aaaa-1"]
        lines += [f"cpu {second} 0 0 {100 * second} 0 0 0 0 0 0"]
        now = {tid: ticks(idle, load, second) for tid, (*_, idle, load) in THREADS.items()}
        into = second - IDLE_S
        if 10 <= into <= 20:
            now[WORKER] = (2 * (into - 10), 0, 0)
        inside = [tid for tid in now if tid != 705]
        user, system, guest = (sum(now[tid][i] for tid in inside) for i in range(3))
        # the worker ended with three ticks that no snapshot saw
        user += 23 if into > 20 else 0
        guest *= guest_time
        lines.append(f"p 705 402 2 S 1 0 {now[705][1]} 0 0 0 - 0 vhost-812")
        lines.append(f"p 812 411 1 S 5 {user} {system} 0 0 {guest} 0 51200 qemu-kvm")
        if second == 0:
            lines.append("c 812 411 qemu-kvm -name guest=web,debug-threads=on")
        for tid, (user, system, guest) in sorted(now.items()):
            role, number, comm = THREADS[tid][:3] if tid in THREADS else ("worker", "-", "worker")
            pid, born = (705, 402) if tid == 705 else (812, 400 + tid)
            comm = comm.replace("KVM", accelerator.upper())
            if recorded_roles and (second == 0 or (tid == WORKER and into == 10)):
                lines.append(f"v {pid} {tid} {born} {role} {number} thread web")
            lines.append(f"t {pid} {tid} {born} S 0 {user} {system} {guest * guest_time} 0 {comm}")
    return "\n".join([*lines, "#END done"]) + "\n"


def guest_log() -> str:
    lines = []
    for second in range(IDLE_S + LOAD_S + AFTER_S + 1):
        (steal,) = ticks((1,), (3,), second)
        lines += [f"#T {(EPOCH_S + second) * NS} {second * NS} {second} bbbb-1"]
        lines += [f"cpu 10 0 10 {90 * second} 0 0 0 {steal} 0 0"]
    return "\n".join([*lines, "#END done"]) + "\n"


def access_log() -> str:
    """Five requests in each second of the load, none before or after it."""
    moments = (
        dt.datetime.fromtimestamp(EPOCH_S + IDLE_S + second, dt.UTC) for second in range(LOAD_S)
    )
    lines = [
        f'10.0.2.2 - - [{at:%d/%b/%Y:%H:%M:%S +0000}] "GET / HTTP/1.1" 200 9' for at in moments
    ]
    return "".join(f"{line}\n" * (REQUESTS // LOAD_S) for line in lines)


def record(folder, accelerator="kvm", recorded_roles=True, guest_time=True, idle=True):
    """A run of a web server with two vCPUs, written by arithmetic; the run and its tables."""
    home = folder / "raw" / "by-hand" / "first" / "run"
    for role, boot in (("host", "aaaa-1"), ("web", "bbbb-1"), ("client", "cccc-1")):
        (home / role).mkdir(parents=True)
        facts = {"format": "queuevisor-facts/1", "role": role, "hostname": role, "boot_id": boot}
        facts |= {"cpus": 2, "clock_ticks_per_s": 100, "time_zone": "UTC", "interval_s": 1.0}
        (home / role / "facts.json").write_text(json.dumps(facts))
    (home / "host" / "tasks.log").write_text(host_log(recorded_roles, accelerator, guest_time))
    (home / "web" / "tasks.log").write_text(guest_log())
    (home / "web" / "access.log").write_text(access_log())
    (home / "client" / "httperf.log").write_text(HTTPERF)
    start = (EPOCH_S + IDLE_S) * NS
    load = {"start_ns": start, "end_ns": start + LOAD_S * NS}
    work = {"kind": "open", "rate_per_s": 5.0, "log": "client/httperf.log", **load}
    clock = {"clock_offset_ns": 0, "clock_uncertainty_ns": 0, "time_zone": "UTC"}
    manifest = {
        "format": "queuevisor-run/1", "study": "by-hand", "server": "first", "run": "run",
        "window": load, "accelerator": accelerator,
        "roles": {
            role: {"hostname": role, "boot_id": boot, **clock}
            for role, boot in (("host", "aaaa-1"), ("web", "bbbb-1"), ("client", "cccc-1"))
        },
        "virtual_servers": {
            "web": {"role": "web", "workload": work, "qemu_process": "guest=web[, ]"}
        },
    }  # fmt: skip
    if idle:
        manifest["before"] = {"start_ns": EPOCH_S * NS, "end_ns": start}
    (home / "run.json").write_text(json.dumps(manifest))
    (folder / "raw" / "by-hand" / "study.json").write_text("{}")
    run = find_run(folder / "raw", "by-hand", "first", "run")
    ingest.ensure_ingested([run], folder / "processed")
    return run, folder / "processed"


def found(recorded) -> dict[str, dict]:
    run, processed = recorded
    frame = host_cpu_frame(
        estimate_host_cpu(RunCounters(run, run.virtual_servers["web"], processed))
    )
    assert frame.schema == HOST_CPU
    return {row["station"]: row for row in frame.iter_rows(named=True)}


# what a request takes (ms) with the background off: ticks a second under load less those without, × 40 s / 200
KVM = {
    "qemu": (2 + 2 - 1 + 40 - 2 + 12 + 5 + 4) * 2 + 23 / 20,
    "vcpu_threads": (40 - 2 + 12) * 2,
    "vcpu": (30 - 1 + 10) * 2,
    "kvm": (10 - 1 + 2) * 2,
    "emulator": (4 - 1) * 2,
    "iothread": 5 * 2,
    "worker": 20 / 20,
    "vhost": 4 * 2,
    "ended": 3 / 20,
    "guest_steal": (3 - 1) * 2,
    "host_steal": 0.0,
}


@pytest.fixture(scope="module", params=[True, False], ids=["roles recorded", "by name"])
def kvm(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kvm")
    return record(folder, recorded_roles=request.param)


def test_a_kvm_host_s_counters_are_split_station_by_station(kvm):
    rows = found(kvm)
    assert {name: row["per_request_ms"] for name, row in rows.items()} == pytest.approx(
        KVM, abs=1e-6
    )
    assert all(row["missing"] is None for row in rows.values())
    for name, row in rows.items():
        assert row["seconds"] == pytest.approx(KVM[name] * REQUESTS / 1e3, abs=1e-6)
        assert row["low_ms"] <= row["per_request_ms"] <= row["high_ms"]


def test_the_parts_are_the_whole(kvm):
    rows = found(kvm)
    assert rows["vcpu"]["seconds"] + rows["kvm"]["seconds"] == pytest.approx(
        rows["vcpu_threads"]["seconds"]
    )
    parts = [name for name in CPU_STATIONS if name not in ("qemu", "vcpu", "kvm")]
    assert sum(rows[name]["share"] for name in parts) == pytest.approx(1)
    assert rows["guest_steal"]["share"] is None  # nobody used that time


def test_an_interval_is_as_wide_as_the_counters_steps_leave_open(kvm):
    """What does not work without a load scatters nowhere in this run: a tick of each of two counters is left."""
    for name in ("iothread", "vhost"):
        row = found(kvm)[name]
        most = 2 * 2**0.5 * 10 / REQUESTS
        assert 0.5 * most < row["high_ms"] - row["low_ms"] < most


@pytest.mark.parametrize("recorded_roles", [True, False])
def test_under_emulation_the_split_is_missing_and_never_zero(tmp_path, recorded_roles):
    recorded = record(tmp_path, "tcg", recorded_roles, guest_time=False)
    rows = found(recorded)
    for name in ("vcpu", "kvm"):
        assert rows[name]["per_request_ms"] is None and rows[name]["seconds"] is None
        assert rows[name]["missing"] == texts.NO_GUEST_MODE
    assert "emulation" in rows["guest_steal"]["missing"]
    assert rows["guest_steal"]["per_request_ms"] is None
    assert rows["vcpu_threads"]["per_request_ms"] == pytest.approx(KVM["vcpu_threads"])


def test_a_kernel_without_guest_time_differs_from_an_idle_guest(tmp_path):
    rows = found(record(tmp_path, "kvm", guest_time=False))
    assert rows["vcpu"]["per_request_ms"] is None
    assert "does not account" in rows["kvm"]["missing"]


def test_without_an_idle_baseline_the_background_is_included_and_flagged(tmp_path):
    run, processed = record(tmp_path, idle=False)
    estimate = estimate_host_cpu(RunCounters(run, run.virtual_servers["web"], processed))
    assert texts.NO_BACKGROUND in estimate.flags
    # all ticks of guest mode between the snapshots that enclose the load
    kept = (30 + 10) * 2
    assert estimate.demand("vcpu").value_s * 1e3 == pytest.approx(kept)
    assert set(host_cpu_frame(estimate)["station"]) == set(KVM)


def test_a_qemu_that_is_not_there_leaves_every_station_missing(tmp_path):
    run, processed = record(tmp_path)
    server = replace(run.virtual_servers["web"], qemu_process="guest=other[, ]")
    frame = host_cpu_frame(estimate_host_cpu(RunCounters(run, server, processed)))
    cpu = frame.filter(pl.col("station").is_in(CPU_STATIONS))
    assert cpu["per_request_ms"].null_count() == cpu.height
    assert set(cpu["missing"]) == {"no process of host matches `guest=other[, ]`"}


def test_a_virtual_server_without_a_load_has_no_request_to_divide_by(tmp_path):
    _, processed = record(tmp_path)
    (processed.parent / "raw" / "by-hand" / "first" / "run" / "client" / "httperf.log").unlink()
    again = find_run(processed.parent / "raw", "by-hand", "first", "run")
    ingest.ensure_ingested([again], processed)
    with pytest.raises(MissingData):
        estimate_host_cpu(RunCounters(again, again.virtual_servers["web"], processed))


def tasks(*rows: tuple) -> pl.DataFrame:
    columns = ("snapshot", "pid", "tid", "starttime_ticks", "comm", "task_role", "task_role_id")
    schema = dict.fromkeys(columns[:4], pl.Int64) | dict.fromkeys(columns[4:], pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_a_role_found_later_holds_for_the_whole_thread():
    frame = tasks(
        (0, 9, 9, 1, "qemu", None, None),
        (0, 9, 10, 2, "qemu", None, None),
        (1, 9, 10, 2, "qemu", "vcpu", "0"),
        (1, 7, 7, 1, "qemu", "emulator", None),
    )
    mine = with_thread_roles(frame, pl.Series([9]))
    assert mine.select("tid", "station").rows() == [
        (9, "emulator"),
        (10, "vcpu"),
        (10, "vcpu"),
    ]


def test_names_give_the_role_without_recorded_roles():
    names = {
        "qemu-system-x86": "emulator",
        "CPU 12/KVM": "vcpu",
        "ALL CPUs/TCG": "vcpu",
        "IO iothread0": "iothread",
        "worker": "worker",
        "iou-wrk-77": "worker",
        "vhost-9": "vhost",
        "call_rcu": "emulator",
        "workers' union": "emulator",
    }
    frame = tasks(*((0, 9, 10 + i, i, comm, None, None) for i, comm in enumerate(names)))
    assert with_thread_roles(frame, pl.Series([9]))["station"].to_list() == list(names.values())


def test_a_vhost_thread_belongs_to_the_qemu_that_it_names():
    frame = tasks(
        (0, 70, 70, 1, "vhost-9", None, None),
        (0, 71, 71, 1, "vhost-90", None, None),
        (0, 72, 72, 1, "kthread", "vhost", "9"),
    )
    assert with_thread_roles(frame, pl.Series([9]))["tid"].to_list() == [70, 72]


def test_without_thread_names_no_vcpu_is_taken_for_the_main_loop(tmp_path):
    _, processed = record(tmp_path, recorded_roles=False)
    log = processed.parent / "raw" / "by-hand" / "first" / "run" / "host" / "tasks.log"
    text = log.read_text()
    for comm in ("CPU 0/KVM", "CPU 1/KVM"):
        text = text.replace(comm, "qemu-kvm")
    log.write_text(text)
    again = find_run(processed.parent / "raw", "by-hand", "first", "run")
    ingest.ensure_ingested([again], processed)
    rows = found((again, processed))
    for name in ("vcpu_threads", "vcpu", "kvm", "emulator"):
        assert rows[name]["per_request_ms"] is None and "debug-threads" in rows[name]["missing"]
    assert rows["qemu"]["per_request_ms"] == pytest.approx(KVM["qemu"])


# -- processors ------------------------------------------------------------------------------------------------


def test_one_processor_is_the_m_m_1_queue():
    assert processor_wait_s(0.01, 0.5, 1) == pytest.approx(0.01)  # ρ S / (1 − ρ)
    assert processor_wait_s(0.01, 0.8, 1) == pytest.approx(0.04)


def test_two_processors_as_worked_by_hand():
    """M/M/2: W = S ρ² / (1 − ρ²); at ρ = 0.5 a third of S (Kleinrock I, page 103, with m = 2)."""
    assert processor_wait_s(0.03, 1.0, 2) == pytest.approx(0.01)


def test_half_a_processor_is_one_that_works_half_as_fast():
    assert processor_wait_s(0.01, 0.25, 0.5) == pytest.approx(processor_wait_s(0.02, 0.5, 1))


def test_saturated_processors_have_an_infinite_wait():
    assert processor_wait_s(0.01, 2.0, 2) == float("inf")
    assert processor_wait_s(0.01, 0.0, 2) == 0


@pytest.mark.parametrize("given", [(0.01, 0.5, 0), (-0.01, 0.5, 1), (0.01, -0.5, 1)])
def test_invalid_processors_are_rejected(given):
    with pytest.raises(ValueError, match="no wait"):
        processor_wait_s(*given)
