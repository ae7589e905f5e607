"""Comparison with jc, another parser of tools' output: equal where jc is correct.

jc (for development only) reads top -b, /proc/diskstats and the common log format. Its errors are asserted too:
if a later version is correct, a test fails and the exception can be removed.
"""

import jc
import polars as pl
import pytest
from golden import GOLDEN, options, read

from pipeline import parse

TOP = ("procps_3.2.8_centos6", "procps_4.0.2_debian12_recorded", "procps_4.0.2_threads")
"""Golden logs of top that jc reads without an exception."""

NAMES = "  PID USER      PR  NI    VIRT    RES    SHR S %CPU %MEM     TIME+ COMMAND\n"
HEAD = """\
top - 14:02:10 up 2 days,  3:05,  2 users,  load average: 0.80, 0.41, 0.17
Tasks: 118 total,   1 running, 117 sleeping,   0 stopped,   0 zombie
%Cpu(s):  5.9 us,  3.1 sy,  0.0 ni, 91.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st
KiB Mem :  3861332 total,  3446476 free,   216940 used,   197916 buff/cache
KiB Swap:  4194300 total,  4194300 free,        0 used.  3412094 avail Mem

"""
ROWS = "".join(
    f"{pid:5d} {user:8s} {20 - pid % 3:3d} {-(pid % 3):3d} {pid * 321:7d} {size:>6s} {pid:6d} {state} "
    f"{pid % 1000 / 10:4.1f} {pid % 70 / 10:4.1f} {pid % 600:3d}:{pid % 60:02d}.{pid % 100:02d} {command}\n"
    for pid, user, size, state, command in (
        (1, "root", "1.5m", "S", "init"),
        (812, "qemu", "10.6g", "R", "qemu-kvm"),
        (4411, "www-data", "988.8m", "D", "/usr/sbin/apache2 -k start"),
    )
)
STATES = {"S": "sleeping", "R": "running", "D": "uninterruptible sleep", "Z": "zombie", "I": "idle"}


def of_jc(kind: str, text: str) -> list[dict]:
    return jc.parse(kind, text, quiet=True)


def top(text: str) -> dict[str, pl.DataFrame]:
    return parse.parse_log("top", parse.log_from_text(text, "x.log")).tables


def processes_of_jc(snapshots: list[dict]) -> list[tuple]:
    return [
        (
            number,
            row["pid"],
            row["user"],
            row["priority"],
            row["nice"],
            row["status"],
            row["percent_cpu"],
            row["percent_mem"],
            row["command"],
        )
        for number, snapshot in enumerate(snapshots)
        for row in snapshot["processes"]
    ]


def processes(tables: dict[str, pl.DataFrame]) -> list[tuple]:
    columns = [
        "snapshot", "pid", "user", pl.col("priority").replace({"rt": None}).cast(pl.Int64), "nice",
        pl.col("state").replace(STATES), "cpu_percent", "memory_percent", "command",
    ]  # fmt: skip
    return tables["top_processes"].select(columns).rows()


# ------------------------------------------------------------------------------------------- top


@pytest.mark.parametrize("name", TOP)
def test_the_same_processes(name):
    path = GOLDEN / "top" / f"{name}.log"
    text = path.read_text()
    # jc takes our sentinels for fields of top's
    plain = "".join(line for line in text.splitlines(True) if not line.startswith("#"))
    ours = read("top", path).tables
    theirs = processes_of_jc(of_jc("top", plain))
    assert theirs and [row[:6] for row in processes(ours)] == [row[:6] for row in theirs]
    if "threads" not in name:  # we take what leaders print too much off them, jc cannot know
        assert processes(ours) == theirs


def test_a_whole_snapshot():
    tables, (theirs,) = top(HEAD + NAMES + ROWS), of_jc("top", HEAD + NAMES + ROWS)
    assert processes(tables) == processes_of_jc([theirs])
    (ours,) = tables["top_summary"].to_dicts()
    same = {
        "load_1": "load_1m", "load_5": "load_5m", "load_15": "load_15m", "users": "users",
        "tasks": "tasks_total", "tasks_running": "tasks_running", "tasks_sleeping": "tasks_sleeping",
        "tasks_stopped": "tasks_stopped", "tasks_zombie": "tasks_zombie",
        "cpu_user_percent": "cpu_user", "cpu_system_percent": "cpu_sys", "cpu_nice_percent": "cpu_nice",
        "cpu_idle_percent": "cpu_idle", "cpu_iowait_percent": "cpu_wait", "cpu_steal_percent": "cpu_steal",
        "cpu_hardirq_percent": "cpu_hardware", "cpu_softirq_percent": "cpu_software",
        "memory_total_bytes": "mem_total_bytes", "memory_free_bytes": "mem_free_bytes",
        "memory_used_bytes": "mem_used_bytes", "memory_cache_bytes": "mem_buff_cache_bytes",
        "swap_total_bytes": "swap_total_bytes", "memory_available_bytes": "mem_available_bytes",
    }  # fmt: skip
    assert {name: ours[name] for name in same} == {name: theirs[key] for name, key in same.items()}


def test_jc_takes_bare_sizes_for_bytes_they_are_kib():
    (theirs,) = of_jc("top", HEAD + NAMES + ROWS)
    row = theirs["processes"][1]
    ours = top(HEAD + NAMES + ROWS)["top_processes"].row(1, named=True)
    assert row["resident_mem_bytes"] == ours["resident_bytes"] == int(10.6 * 2**30)
    assert row["virtual_mem"] == 812 * 321 and row["virtual_mem_bytes"] == 812 * 321
    assert ours["virtual_bytes"] == 812 * 321 * 1024


def test_jc_loses_decimals_behind_a_comma():
    text = HEAD + NAMES + ROWS
    comma = text.replace("81.2 ", "81,2 ").replace("10.6g", "10,6g")
    theirs = of_jc("top", comma)[0]["processes"][1]
    ours = top(comma)["top_processes"].row(1, named=True)
    assert (ours["cpu_percent"], ours["resident_bytes"]) == (81.2, int(10.6 * 2**30))
    assert (theirs["percent_cpu"], theirs["resident_mem"]) == (812.0, 106.0)


def test_jc_gives_up_on_columns_without_names():
    with pytest.raises(LookupError):
        of_jc("top", HEAD + ROWS)
    result = parse.parse_log("top", parse.log_from_text(HEAD + ROWS, "x.log"))
    assert result.rejects.height == 3


# ------------------------------------------------------------------------------------- diskstats

DISKSTATS = {
    "device": "device", "reads": "reads_completed", "reads_merged": "reads_merged",
    "read_sectors": "sectors_read", "read_ms": "read_time_ms", "writes": "writes_completed",
    "writes_merged": "writes_merged", "write_sectors": "sectors_written", "write_ms": "write_time_ms",
    "in_flight": "io_in_progress", "io_ticks_ms": "io_time_ms",
    "time_in_queue_ms": "weighted_io_time_ms", "discards": "discards_completed_successfully",
    "discards_merged": "discards_merged", "discard_sectors": "sectors_discarded",
    "discard_ms": "discarding_time_ms", "flushes": "flush_requests_completed_successfully",
    "flush_ms": "flushing_time_ms",
}  # fmt: skip


def diskstats() -> list[str]:
    lines = []
    for path in sorted((GOLDEN / "block").glob("diskstats*.log")):
        lines += [line for line in path.read_text().splitlines() if not line.startswith("TS")]
    return [line for line in lines if len(line.split()) - 3 in (11, 15, 17)]


def test_the_same_counters_of_11_15_and_17_fields():
    lines = diskstats()
    assert {len(line.split()) - 3 for line in lines} == {11, 15, 17}
    for line in lines:
        (theirs,) = of_jc("proc_diskstats", line + "\n")
        ours = parse.parse_log("block", parse.log_from_text(line + "\n", "x.log")).tables["block"]
        (row,) = ours.to_dicts()
        expected = {n: theirs.get(k) for n, k in DISKSTATS.items()}
        if expected["in_flight"] < 0:  # no number of requests
            expected["in_flight"] = None
        assert {n: row[n] for n in DISKSTATS} == expected


def test_jc_reads_an_old_partitions_four_fields_as_the_first_four_of_eleven():
    line = "104 1 cciss/c0d0p1 1421 3292 10354 3681\n"
    (theirs,) = of_jc("proc_diskstats", line)
    (ours,) = (
        parse.parse_log("block", parse.log_from_text(line, "x.log")).tables["block"].to_dicts()
    )
    assert (ours["reads"], ours["read_sectors"], ours["writes"], ours["write_sectors"]) == (
        1421, 3292, 10354, 3681,
    )  # fmt: skip
    assert (theirs["reads_merged"], theirs["sectors_read"]) == (3292, 10354)


# ------------------------------------------------------------------------------------ access log


@pytest.mark.parametrize("path", sorted((GOLDEN / "access").glob("*.log")), ids=lambda p: p.stem)
def test_the_same_requests(path):
    compared = 0
    for line in filter(str.strip, path.read_text().splitlines()):
        log = parse.log_from_text(line + "\n", "x.log")
        try:
            (ours,) = parse.parse_log("access", log, **options(path)).tables["requests"].to_dicts()
        except parse.UnknownFormatError:
            continue
        (theirs,) = of_jc("clf", line)
        if "unparsable" in theirs or ours["flags"] or "\\" in line:
            continue
        compared += 1
        assert (ours["client"], ours["user"]) == (theirs["host"], theirs["authuser"])
        assert (ours["status"], ours["response_bytes"]) == (theirs["status"], theirs["bytes"])
        assert (ours["command"], ours["target"], ours["protocol"]) == (
            theirs["request_method"], theirs["request_url"], theirs["request_version"],
        )  # fmt: skip
        assert (ours["referer"], ours["user_agent"]) == (theirs["referer"], theirs["user_agent"])
        if theirs["epoch_utc"] is not None:  # jc knows the moment only where the offset is zero
            assert ours["time"].timestamp() == theirs["epoch_utc"]
    assert compared >= 2


def test_jc_ends_a_field_at_an_escaped_quote():
    line = r'::1 - - [22/Nov/2026:21:36:00 +0000] "GET / HTTP/1.1" 304 - "-" "a \"b\" c"'
    (theirs,) = of_jc("clf", line)
    (ours,) = (
        parse.parse_log("access", parse.log_from_text(line, "x.log")).tables["requests"].to_dicts()
    )
    assert (ours["user_agent"], theirs["user_agent"]) == (r"a \"b\" c", "a \\")
