"""Counters on common windows: nothing of the load is lost or counted twice, and what is missing has a reason."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from pipeline import ingest
from pipeline.measure import texts
from pipeline.measure.clients import IS_REQUEST
from pipeline.measure.counters import WRAP_MS
from pipeline.measure.time_series import idle_series, load_series
from pipeline.measure.virtual_server import COUNTERS, STATIONS, RunCounters
from pipeline.measure.window import NS_PER_S, MissingData, bracketing_indices
from pipeline.raw import HOST, VirtualServer, Window, Workload, find_studies
from pipeline.synthetic.process_table import FIRST_WORKER

# -- recorded and simulated runs --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(root, tmp_path_factory) -> list[RunCounters]:
    """The loaded virtual servers of the smallest recorded run of each kind of load."""
    study = next(s for s in find_studies(root / "data" / "raw") if s.name == "kvm-case-study")
    kinds: dict[str, list] = {}
    for run in study.runs():
        loads = [s for s in run.virtual_servers.values() if s.workload is not None]
        if len(loads) == 1 and run.window is not None and run.idle_before is not None:
            kinds.setdefault(loads[0].workload.kind, []).append((run, loads[0]))
    found = []
    for runs in kinds.values():
        run, server = min(
            runs, key=lambda r: (sum(log.path.stat().st_size for log in r[0].logs()), r[0].id)
        )
        processed = tmp_path_factory.mktemp("processed")
        ingest.ensure_ingested([run], processed)
        found.append(RunCounters(run, server, processed))
    return found


def check_increases(counters: RunCounters) -> None:
    """Windows and their margins hold the increase over the load, and what the margins have beyond it."""
    load = load_series(counters)
    starts, ends = load.frame["start_s"], load.frame["start_s"] + load.frame["length_s"]
    outer = counters.window.start_ns + np.array([starts[0], ends[-1]]) * NS_PER_S
    for station in STATIONS:
        counter, used = counters.counter(station), counters.increase(station).value
        first, last, _ = bracketing_indices(counter.at_ns, counters.window)
        # the margins reach past the enclosing snapshots, by less than two steps of the slowest instrument
        assert outer[0] <= counter.at_ns[first] and outer[1] >= counter.at_ns[last]
        beyond = counter.interpolate(
            np.array([outer[0], counter.at_ns[first], counter.at_ns[last], outer[1]])
        )
        more = beyond[1] - beyond[0] + beyond[3] - beyond[2]
        assert load.column(station).sum() == pytest.approx(used + more, abs=1e-6), station
        assert 0 <= more <= used, station


def test_recorded_windows_hold_the_increases(recorded):
    assert len(recorded) == 2
    for counters in recorded:
        check_increases(counters)


def test_simulated_windows_hold_the_increases(known):
    check_increases(RunCounters(known.run, known.server, known.processed))


def test_windows_hold_what_happened_in_them(known):
    """Completions are the client's and lie where the replies were; the disk's time is the operations'."""
    counters = RunCounters(known.run, known.server, known.processed)
    load = load_series(counters)
    guest = known.guest
    replies = guest.reply_s - guest.load_start_s
    done = load.column("completions")
    assert done.sum() == pytest.approx(len(replies))
    edges = np.append(load.frame["start_s"], load.frame["start_s"][-1] + load.frame["length_s"][-1])
    told, true = np.cumsum(done), np.cumsum(np.histogram(replies, edges)[0])
    # a log in whole seconds, or a client's line a second: never a second's requests off
    assert np.abs(told - true).max() <= 1.6 * len(replies) / (guest.load_end_s - guest.load_start_s)
    begins, ends = guest.disk.busy_periods()
    grown = [
        np.clip(ends - guest.load_start_s, None, edge).clip(begins - guest.load_start_s).sum()
        - (begins - guest.load_start_s).sum()
        for edge in (edges[0], edges[-1])
    ]
    assert load.column("vdisk").sum() == pytest.approx(grown[1] - grown[0], abs=0.05)
    served = guest.cpu.cpu_time_by_owner(
        edges[[0, -1]] + guest.load_start_s, FIRST_WORKER + 1 + int(guest.worker.max())
    )
    mine = np.diff(served, axis=1)[FIRST_WORKER:].sum()
    told = load.column("guest_cpu").sum()
    ended = np.isfinite(guest.exited_s).sum()
    if ended:  # CPU time after the last sample is missing: at most one second per process
        assert 0.8 * mine < told < mine
        assert load.column_flags == {"guest_cpu": (texts.exited(ended),)}
    else:
        assert told == pytest.approx(mine, rel=0.02)
        assert load.column_flags == {}


def test_the_margin_is_a_step_and_a_half_on_both_sides(known):
    counters = RunCounters(known.run, known.server, known.processed)
    margin = counters.margin_s()
    assert 1.4 < margin < 2.0
    frame = load_series(counters).frame
    assert frame["start_s"][0] == pytest.approx(-margin)
    assert frame["length_s"].sum() == pytest.approx(counters.window.duration_s + 2 * margin)
    assert counters.window.duration_s >= 40
    assert np.diff(frame["start_s"]) == pytest.approx(frame["length_s"][:-1].to_numpy())


def test_the_before_state_ends_before_the_margin(known):
    counters = RunCounters(known.run, known.server, known.processed)
    idle = idle_series(counters)
    first = (known.run.idle_before.start_ns - counters.window.start_ns) / NS_PER_S
    assert idle.frame["start_s"][0] == pytest.approx(first)
    last = idle.frame["start_s"][-1] + idle.frame["length_s"][-1]
    assert last <= -counters.margin_s() + 1e-9
    assert (idle.column("completions") == 0).all()
    share = idle.column("guest_cpu").sum() / idle.frame["length_s"].sum()
    assert share == pytest.approx(0.01, abs=0.008)


def test_windows_of_another_length_hold_the_same_in_all(known):
    counters = RunCounters(known.run, known.server, known.processed)
    one, two = load_series(counters, 1.0), load_series(counters, 3.0)
    assert two.frame.height == round(one.frame.height / 3)
    for name in (*STATIONS, "completions"):
        assert two.column(name).sum() == pytest.approx(one.column(name).sum()), name


# -- tables made by hand ----------------------------------------------------------------------------------

SECONDS = range(-20, 31)
SERVER = VirtualServer(
    "web", "web", Workload("open", rate_per_s=10.0, log="client/httperf.log"),
    server_processes="^apache2$", qemu_process="guest=web,", virtual_disk="vda", host_disk="loop0",
)  # fmt: skip
IDLE = Window(-18 * NS_PER_S, 0)
OTHER = VirtualServer("db", "db", None, qemu_process="guest=db,")


def sampled(**columns) -> pl.DataFrame:
    """Rows a second from 20 s before the load to 10 s after it; columns are functions of the second."""
    rows = [
        {
            "snapshot": i,
            "client_ns": second * NS_PER_S,
            **{k: f(second) for k, f in columns.items()},
        }
        for i, second in enumerate(SECONDS)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def process(
    pid: int, used, born: int = -20, died: int = 30, command: str = "apache2"
) -> pl.DataFrame:
    """A process that has used ``increase(second)`` seconds of CPU, seen while it lived."""
    rows = sampled(cpu_time_s=lambda s: round(float(used(s)), 2))
    rows = rows.with_columns(
        pid=pl.lit(pid), command=pl.lit(command), is_thread=pl.lit(False), cpu_time_resolution_s=pl.lit(0.01)
    )  # fmt: skip
    return rows.filter(pl.col("client_ns").is_between(born * NS_PER_S, died * NS_PER_S))


def block(device: str, busy_ms, operations=lambda s: 10 * s + 300) -> pl.DataFrame:
    return sampled(
        device=lambda s: device,
        reads=operations,
        writes=lambda s: 7,
        io_ticks_ms=lambda s: int(busy_ms(s)),
        time_in_queue_ms=lambda s: int(2 * busy_ms(s)),
    )


def qemu(pid: int, name: str, ticks) -> pl.DataFrame:
    return sampled(
        pid=lambda s: pid,
        starttime_ticks=lambda s: 5,
        command_line=lambda s: f"qemu -name guest={name},x",
        utime_ticks=lambda s: int(ticks(s)),
        stime_ticks=lambda s: 3,
    )


CLIENT = pl.DataFrame(
    {
        "tool": ["httperf"], "kind": ["summary"], "line": [9], "completions": [200],
        "elapsed_s": [20.0], "throughput_per_s": [10.0], "response_time_mean_s": [0.1], "errors": [0],
        "connections": [200],
    }
)  # fmt: skip


def access(times_ns: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "log": ["access"] * len(times_ns),
            "command": ["GET"] * len(times_ns),
            "target": ["/"] * len(times_ns),
            "time": pl.Series(times_ns, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC")),
        }
    )


def tables() -> dict[tuple[str, str], pl.DataFrame]:
    """A guest that uses 0.1 of its CPU from the load on, and nothing before."""
    return {
        ("top_processes", "web"): process(10, lambda s: 5 + 0.1 * max(s, 0)),
        ("top_summary", "web"): sampled(),
        ("task_processes", HOST): pl.concat(
            [qemu(1, "web", lambda s: 1000 + 20 * max(s, 0)), qemu(2, "db", lambda s: 50 + s)]
        ),
        ("block", "web"): block("vda", lambda s: 1000 + 50 * max(s, 0)),
        ("block", HOST): block("loop0", lambda s: 1000 + 30 * max(s, 0)),
        ("client", "client"): CLIENT,
        ("requests", "web"): access([s * NS_PER_S for s in range(20) for _ in range(10)]),
    }


def hand(frames: dict, before: Window | None = IDLE, server=SERVER) -> RunCounters:
    """Counters of a run of 20 s whose tables are ``frames``, all clocks alike."""

    def rows(table: str, role: str) -> pl.DataFrame:
        if (table, role) not in frames:
            raise MissingData(f"{role} has no rows of {table}")
        return frames[table, role]

    run = SimpleNamespace(
        id="s/first/r", server="first", run="r", roles=("host",), idle_before=before, window=Window(0, 20 * NS_PER_S),
        virtual_servers={"web": server, "db": OTHER},
        facts=lambda role: {"clock_ticks_per_s": 100, "kernel_hz": 250},
        clock_offset_ns=lambda role: 0,
        client_log=lambda name: SimpleNamespace(role="client", kind="httperf"),
    )  # fmt: skip
    counters = RunCounters(run, server, "nowhere")
    counters.tables = SimpleNamespace(rows=rows, sampled=rows, run=run)
    return counters


def test_by_hand_everything_is_what_was_written():
    load = load_series(hand(tables()))
    assert load.missing == {}
    totals = {name: load.column(name).sum() for name in (*COUNTERS, "completions")}
    span = 20 + 3.0  # readings every second: a margin of 1.5 s on both sides
    assert totals == pytest.approx(
        {
            "guest_cpu": 0.1 * 21.5, "host_cpu": 0.2 * 21.5, "vdisk": 0.05 * 21.5, "disk": 0.03 * 21.5,
            "neighbour_cpu": 0.01 * span, "vdisk_operations": 10 * span, "disk_operations": 10 * span,
            "completions": 200,
        }
    )  # fmt: skip
    assert load.resolution["vdisk"] == pytest.approx(0.004)
    assert load.resolution["host_cpu"] == pytest.approx(0.01 * 2**0.5)  # utime and stime


def of_processes(*processes: pl.DataFrame):
    return load_series(hand(tables() | {("top_processes", "web"): pl.concat(processes)}))


def guest_cpu(*processes: pl.DataFrame) -> float:
    return of_processes(*processes).column("guest_cpu").sum()


def test_a_process_born_under_load_counts_whole_and_one_that_ended_keeps_what_it_used():
    old = process(10, lambda s: 5.0)
    assert guest_cpu(old) == pytest.approx(0)
    born = process(11, lambda s: 0.4 + 0.1 * (s - 5), born=5)
    assert guest_cpu(old, born) == pytest.approx(0.4 + 0.1 * 16.5)
    ended = process(12, lambda s: 7 + 0.2 * max(s, 0), died=10)
    assert guest_cpu(old, ended) == pytest.approx(2.0)
    both = process(13, lambda s: 0.1 * (s - 4), born=5, died=9)
    assert guest_cpu(old, both) == pytest.approx(0.5)
    assert of_processes(old, born).column_flags == {}
    assert "2 processes exited" in of_processes(old, ended, both).column_flags["guest_cpu"][0]
    before = process(14, lambda s: 1.0, died=-9)
    assert of_processes(old, before).column_flags == {}


def test_a_pid_used_again_is_two_processes():
    old = process(10, lambda s: 5.0)
    first = process(11, lambda s: 3 + 0.1 * max(s, 0), died=8)
    second = process(11, lambda s: 0.1 * (s - 8), born=9)
    assert guest_cpu(old, first, second) == pytest.approx(0.8 + 0.1 * 13.5)
    other = process(11, lambda s: 9.0, born=9, command="cron")
    assert guest_cpu(old, first, other) == pytest.approx(0.8)


def test_other_processes_and_threads_do_not_count():
    mine = process(10, lambda s: 5 + 0.1 * max(s, 0))
    cron = process(20, lambda s: 1.0 * max(s, 0), command="cron")
    thread = process(30, lambda s: 1.0 * max(s, 0)).with_columns(is_thread=pl.lit(True))
    assert guest_cpu(mine, cron, thread) == pytest.approx(guest_cpu(mine))


def test_a_32_bit_counter_that_begins_again_goes_on():
    frames = tables()
    plain = load_series(hand(frames)).column("vdisk")
    low = block("vda", lambda s: (WRAP_MS - 300 + 50 * max(s, 0)) % WRAP_MS)
    assert low["io_ticks_ms"].min() < 1000 < low["io_ticks_ms"].max()
    wrapped = load_series(hand(frames | {("block", "web"): low})).column("vdisk")
    assert wrapped == pytest.approx(plain, abs=1e-6)
    assert WRAP_MS == 2**32


@pytest.mark.parametrize(
    ("lost", "station", "why"),
    [
        (("top_processes", "web"), "guest_cpu", "no rows of top_processes"),
        (("top_summary", "web"), "guest_cpu", "no rows of top_summary"),
        (("task_processes", HOST), "host_cpu", "no rows of task_processes"),
        (("block", "web"), "vdisk", "web has no rows of block"),
        (("block", HOST), "disk", "host has no rows of block"),
    ],
)
def test_a_missing_log_is_a_reason_and_takes_nothing_else_along(lost, station, why):
    frames = {key: frame for key, frame in tables().items() if key != lost}
    load = load_series(hand(frames))
    assert why in load.missing[station]
    with pytest.raises(MissingData, match=why):
        load.column(station)
    assert set(STATIONS) - {station} <= set(load.frame.columns)


@pytest.mark.parametrize(
    ("changed", "station", "why"),
    [
        ({"server_processes": None}, "guest_cpu", texts.no_key("web", "server_processes")),
        ({"server_processes": "nginx"}, "guest_cpu", texts.no_process("web", "nginx")),
        ({"qemu_process": None}, "host_cpu", texts.no_key("web", "qemu_process")),
        ({"qemu_process": "guest=no,"}, "host_cpu", texts.no_process("host", "guest=no,")),
        ({"virtual_disk": None}, "vdisk", texts.no_key("web", "virtual_disk")),
        ({"host_disk": None}, "disk", texts.no_key("web", "host_disk")),
        ({"host_disk": "sdz"}, "disk", texts.no_device("sdz")),
    ],
)
def test_a_missing_key_of_run_json_is_a_reason(changed, station, why):
    load = load_series(hand(tables(), server=replace(SERVER, **changed)))
    assert why in load.missing[station]
    assert set(STATIONS) - {station} <= set(load.frame.columns)


def test_a_log_that_does_not_reach_over_the_load_is_a_reason():
    frames = tables()
    short = frames["block", "web"].filter(pl.col("client_ns") <= 12 * NS_PER_S)
    load = load_series(hand(frames | {("block", "web"): short}))
    assert load.missing["vdisk"] == texts.not_covered("vdisk")
    assert "vdisk" not in load.frame.columns


def test_idle_windows_need_a_before_state_that_is_long_enough():
    idle = idle_series(hand(tables()))
    assert idle.frame["start_s"][0] == -18
    assert idle.frame["start_s"][-1] + idle.frame["length_s"][-1] == pytest.approx(-1.5)
    assert idle.column("guest_cpu").sum() == pytest.approx(0)
    with pytest.raises(MissingData, match=texts.NO_IDLE_BASELINE):
        idle_series(hand(tables(), before=None))
    for seconds in (1.0, 2.5):
        with pytest.raises(MissingData):
            idle_series(hand(tables(), before=Window(-round(seconds * NS_PER_S), 0)))


# -- when requests were completed ---------------------------------------------------------------------------


def test_seconds_of_a_log_are_spread_over_themselves():
    """The access log says the second in which a request came; a window of half a second gets half of it."""
    frames = tables() | {
        ("requests", "web"): access(
            [3 * NS_PER_S] * 40 + [4 * NS_PER_S] * 80 + [10 * NS_PER_S] * 80
        )
    }
    load = load_series(hand(frames), 0.5)
    done = load.column("completions")
    starts = load.frame["start_s"].to_numpy()
    per_window = dict(zip(np.round(starts, 6), done, strict=True))
    assert [per_window[s] for s in (3.0, 3.5, 4.0, 4.5, 10.0, 10.5)] == pytest.approx(
        [20, 20, 40, 40, 40, 40]
    )
    assert done.sum() == pytest.approx(200)
    assert done[(starts < 3) | ((starts >= 5) & (starts < 10)) | (starts >= 11)] == pytest.approx(0)
    assert texts.COMPLETIONS_FROM_SERVER_LOG in load.flags


def test_a_log_with_fractions_of_seconds_is_counted_where_it_says():
    at = [int((3 + 0.004 * i) * NS_PER_S) for i in range(100)] + [int(15.25 * NS_PER_S)] * 100
    load = load_series(hand(tables() | {("requests", "web"): access(at)}), 0.5)
    done = dict(zip(np.round(load.frame["start_s"], 6), load.column("completions"), strict=True))
    assert (done[3.0], done[15.0], done[15.5]) == pytest.approx((100, 100, 0))


def test_the_clients_own_count_is_spread():
    frames = tables()
    fewer = frames["requests", "web"].head(100)  # the log was cut: its times still tell how
    done = load_series(hand(frames | {("requests", "web"): fewer})).column("completions")
    assert done.sum() == pytest.approx(200)


def test_a_clients_interval_lines_come_first():
    lines = pl.DataFrame(
        {
            "tool": ["httperf"] * 3, "kind": ["interval", "interval", "summary"], "line": [1, 2, 9],
            "completions": [None, None, 200], "elapsed_s": [10.0, 20.0, None], "throughput_per_s": [15.0, 5.0, None],
            "response_time_mean_s": [None] * 3, "errors": [0] * 3, "connections": [200] * 3,
        }
    )  # fmt: skip
    load = load_series(hand(tables() | {("client", "client"): lines}))
    starts = load.frame["start_s"].to_numpy()
    done = load.column("completions")
    assert load.flags == ()
    assert done[(starts >= 0) & (starts < 9)] == pytest.approx(15)
    assert done[(starts >= 10) & (starts < 19)] == pytest.approx(5)
    assert done[(starts < -1) | (starts > 20)] == pytest.approx(0)


@pytest.mark.parametrize("log", ["absent", "without transactions", "empty", "a part is missing"])
def test_without_any_times_requests_are_spread_evenly_and_that_is_told(log):
    frames = tables()
    asked = frames.pop(("requests", "web"))
    if log == "without transactions":
        frames["requests", "web"] = asked.with_columns(
            log=pl.lit("general"), target=pl.lit("SELECT 1")
        )
    elif log == "empty":
        frames["requests", "web"] = asked.head(0)
    elif log == "a part is missing":
        frames["requests", "web"] = asked.head(asked.height * 8 // 10)
    load = load_series(hand(frames))
    assert texts.UNIFORM_COMPLETIONS in load.flags
    per_second = load.column("completions") / load.frame["length_s"].to_numpy()
    assert per_second == pytest.approx(200 / 23)


def test_transactions_of_a_general_log_are_its_commits():
    """And a COMMIT that is only prepared, of which there is one in every second here, is none."""
    said = [
        ("Query", "SELECT 1"),
        ("Query", "  commit"),
        ("Execute", "COMMIT"),
        ("Prepare", "COMMIT"),
    ]
    command, target = zip(*(said * 50), strict=True)
    at_ns = [(i % 20) * NS_PER_S for i in range(200)]
    log = access(at_ns).with_columns(
        log=pl.lit("general"), command=pl.Series(command), target=pl.Series(target)
    )
    client = CLIENT.with_columns(completions=pl.lit(100))
    load = load_series(hand(tables() | {("requests", "web"): log, ("client", "client"): client}))
    assert texts.COMPLETIONS_FROM_SERVER_LOG in load.flags
    assert log.filter(IS_REQUEST).height == 100


def test_no_requests_are_a_reason():
    nothing = CLIENT.with_columns(completions=pl.lit(0))
    unsaid = CLIENT.with_columns(completions=pl.lit(None, pl.Int64))
    for client, why in ((nothing, texts.NO_REQUEST_COMPLETED), (unsaid, texts.NO_COMPLETIONS)):
        with pytest.raises(MissingData, match=why):
            load_series(hand(tables() | {("client", "client"): client}))
    frames = tables()
    del frames["client", "client"]
    with pytest.raises(MissingData, match="no rows of client"):
        load_series(hand(frames))
