"""Logs of top in pieces: shipped logs, damaged logs, and logs whose pieces only others explain."""

import random

import damage
import pytest
from golden import goldens, options
from test_pieces import assert_same, outcome

GIVEN = (
    {},
    {"date": "2024-10-27", "tz": "Europe/Berlin"},
    {"tool_version": "procps-ng 4.0.2"},
)
SHIPPED = ("second/web-021-poisson-6/host", "second/db-32-sweep-3/db")
HEADER = "  PID USER      PR  NI    VIRT    RES    SHR S %CPU %MEM     TIME+ COMMAND\n"


def clock(number):
    return f"top - 23:59:{number:02d} up 2 days, 17:39,  2 users,  load average: 0.41, 0.51, 0.68\n"


def row(pid, command="sh"):
    return f"{pid:5d} root      20   0  161888   2108   1520 R  6.2  0.1   0:00.01 {command}\n"


def assert_pieces(text, piece_bytes=1, **given):
    data = text.encode()
    whole = outcome("top", data, 1 << 30, **given)
    assert_same(whole, outcome("top", data, piece_bytes, **given))
    return whole


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_log(root, name):
    data = (root / "data/raw/kvm-case-study" / name / "top.log.zst").read_bytes()
    whole = outcome("top", data, 1 << 30)
    assert whole.tables["top_processes"].height > 100
    assert_same(whole, outcome("top", data, 1 << 15))


def test_damaged_logs():
    logs = [path.read_bytes() for path in goldens("top")]
    for number in range(8):
        rng = random.Random(f"pieces {number}")
        parts = [
            damage.damaged_log(damage.excerpt(rng.choice(logs), rng), logs, rng) for _ in range(4)
        ]
        data, given = damage.join_parts("top", parts, rng), rng.choice(GIVEN)
        assert_same(outcome("top", data, 1 << 30, **given), outcome("top", data, 700, **given))


def test_the_clock_goes_on_over_midnight_from_piece_to_piece():
    snapshots = [clock(58), clock(59), clock(0).replace("23:59", "00:00")]
    text = "".join(line + HEADER + row(7) for line in snapshots)
    whole = assert_pieces(text, date="2024-02-28", tz="Europe/Berlin")
    times = whole.tables["top_processes"]["time"].dt.to_string("%F %T").to_list()
    assert times == ["2024-02-28 22:59:58", "2024-02-28 22:59:59", "2024-02-28 23:00:00"]


def test_another_top_begins_in_another_piece():
    text = "".join(clock(n) + HEADER + row(pid, "top") for n, pid in enumerate((7, 7, 8, 8, 9)))
    whole = assert_pieces(text)
    assert whole.tables["top_summary"]["is_interval"].to_list() == [False, True, False, True, False]


def test_threads_are_known_from_a_later_piece():
    threads = "Threads:  86 total,   1 running,  85 sleeping,   0 stopped,   0 zombie\n"
    text = clock(1) + HEADER + row(7) + clock(2) + threads + HEADER + row(8) + clock(3) + HEADER
    assert assert_pieces(text).tables["top_processes"]["is_thread"].all()


def test_names_of_another_piece_are_in_force_for_rows_without_a_pid_in_front():
    names = "USER       PID  PR  NI S COMMAND\n"
    text = clock(1) + names + "root  7  20  0 S sh\n" + clock(2) + "root  7  20  0 S sh\n"
    assert assert_pieces(text).rejects["reason"].to_list() == [
        "row without column names in its snapshot"
    ]


def test_a_log_whose_snapshot_is_cut_is_one_piece():
    text = clock(1) + HEADER + row(7) + "#Tx\n" + row(8)
    text = "#T 1 1 1 b\n" + text + "#T 2 2 2 b\n" + text
    whole = assert_pieces(text)
    assert whole.tables["top_processes"]["snapshot"].to_list() == [0, 0, 1, 1]


@pytest.mark.parametrize("is_ended", [True, False])
def test_the_last_snapshot_before_a_gap_may_lack_threads(is_ended):
    path = next(path for path in goldens("top") if path.stem == "procps_4.0.2_threads_tgid")
    text = path.read_text()
    body = text[text.index("top - ") :].replace("#END", "#GAP restart\n#END")
    one = body[: body.index("top - ", 10)] if "top - " in body[10:] else body
    parts = [f"#T {n} {n} {n} b\n{one}" for n in range(1, 4)]
    parts.insert(2, "#GAP recorder restarted\n")
    log = "".join(parts) + ("#END stopped\n" if is_ended else "")
    assert_pieces(log, **options(path))
