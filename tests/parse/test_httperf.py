"""httperf's report: goldens, what a number is and what it is not, cuts, several reports in one log."""

import json

import pytest
from golden import (
    expected,
    goldens,
    options,
    parse_or_refuse,
    plain,
    random_lines,
    read,
    with_each_line_repeated,
    without_each_line,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parse
from pipeline.parse import texts

REPORT = """\
httperf --client=0/1 --server=h --port=80 --uri=/ --rate=5 --send-buffer=4096 --num-conns=4 --num-calls=1
Maximum connect burst length: 1

Total: connections 4 requests 4 replies 3 test-duration 6.602 s

Connection rate: 1.7 conn/s (600.2 ms/conn, <=1 concurrent connections)
Connection time [ms]: min 1.0 avg 1.2 max 1.7 median 1.5 stddev 0.2
Connection time [ms]: connect 0.1
Connection length [replies/conn]: 1.000

Request rate: 1.7 req/s (600.2 ms/req)
Request size [B]: 62.0

Reply rate [replies/s]: min 1.6 avg 1.6 max 1.6 stddev 0.0 (1 samples)
Reply time [ms]: response 1.1 transfer 0.3
Reply size [B]: header 155.0 content 304.0 footer 0.0 (total 459.0)
Reply status: 1xx=0 2xx=3 3xx=0 4xx=0 5xx=0

CPU time [s]: user 0.35 system 1.85 (user 15.8% system 84.1% total 99.9%)
Net I/O: 2.8 KB/s (0.0*10^6 bps)

Errors: total 4 client-timo 1 socket-timo 0 connrefused 0 connreset 0
Errors: fd-unavail 0 addrunavail 1 ftab-full 0 other 2
"""
SMALL = (
    "Total: connections 4 requests 4 replies 3 test-duration 6.602 s\n"
    "Reply time [ms]: response 1.1 transfer 0.3\n"
    "Errors: fd-unavail 0 addrunavail 1 ftab-full 0 other 22\n"
)


def parsed(text):
    return parse.parse_log("httperf", parse.log_from_text(text, "x.log"))


def client(text):
    return parsed(text).tables["client"]


def row(text):
    frame = client(text)
    assert frame.height == 1
    return frame.row(0, named=True)


@pytest.mark.parametrize("path", goldens("httperf"), ids=lambda p: p.stem)
def test_golden(path):
    assert json.loads(json.dumps(plain(read("httperf", path), options(path)))) == expected(path)


def test_a_report_is_one_row():
    got = row(REPORT)
    assert {k: got[k] for k in ("replies", "completions", "elapsed_s", "offered_rate_per_s")} == {
        "replies": 3, "completions": 3, "elapsed_s": 6.602, "offered_rate_per_s": 5.0
    }  # fmt: skip
    assert got["response_time_mean_s"] == 0.0014
    assert got["throughput_per_s"] == 1.6
    parts = [got[f"errors_{k}"] for k in ("timeout", "refused", "reset", "fd_unavailable", "other")]
    assert parts == [1, 0, 0, 0, 3] and sum(parts) == got["errors"]
    assert got["flags"] is None


@pytest.mark.parametrize(
    ("option", "rate"),
    [
        ("--rate=5", 5.0),
        ("--rate 2.5", 2.5),
        ("--rate=0", None),
        ("", None),
        ("--period=e0.2", 5.0),
        ("--period=d0.25", 4.0),
        ("--period=0.5", 2.0),
        ("--period=u0.1,0.3", 5.0),
        ("--period=e0", None),
        ("--period=v0.1,9", None),
    ],
)
def test_the_offered_rate_is_read_from_the_command(option, rate):
    assert row(REPORT.replace("--rate=5", option))["offered_rate_per_s"] == rate


def test_no_reply_is_no_time():
    text = REPORT.replace("replies 3", "replies 0").replace(
        "response 1.1 transfer 0.3", "response 0.0"
    )
    got = row(text.replace("(1 samples)", "(0 samples)").replace("avg 1.6", "avg 0.0"))
    assert (got["replies"], got["response_time_mean_s"], got["throughput_per_s"]) == (0, None, None)
    assert got["connect_time_mean_s"] == 0.0001
    assert got["flags"] == "no-replies no-rate-samples"


def test_nan_measures_nothing():
    got = row(REPORT.replace("avg 1.2", "avg -nan").replace("connect 0.1", "connect inf"))
    assert (got["connection_time_mean_s"], got["connect_time_mean_s"]) == (None, None)
    assert got["flags"] is None


def test_errors_that_do_not_add_up_are_flagged():
    assert row(REPORT.replace("total 4", "total 5"))["flags"] == "errors-do-not-add-up"


@pytest.mark.parametrize("at", ["", "^C", "^C^C", "^C\n"])
def test_control_c_before_the_report(at):
    got = parsed(REPORT.replace("Maximum", f"{at}Maximum"))
    assert got.tables["client"]["flags"].to_list() == ["interrupted" if at else None]
    assert got.rejects.height == 0


def test_reports_of_one_file_are_never_mixed():
    other = REPORT.replace("replies 3", "replies 4").replace("response 1.1", "response 2.2")
    frame = client(REPORT + "\n" + other)
    assert frame.select("replies", "response_time_mean_s").rows() == [(3, 0.0014), (4, 0.0025)]
    # the first was cut in its middle, the second lost its head
    half = "\n".join(REPORT.splitlines()[:8]) + "\n"
    tail = "\n".join(other.splitlines()[12:]) + "\n"
    frame = client(half + other)
    assert frame.select("replies", "response_time_mean_s").rows() == [(3, None), (4, 0.0025)]
    assert frame["flags"].to_list() == ["incomplete no-error-counts", None]
    frame = client(REPORT + tail)
    assert frame.select("replies", "response_time_mean_s").rows() == [(3, 0.0014), (None, 0.0025)]


def test_a_killed_run_gives_a_warning():
    got = parsed(REPORT.splitlines()[0] + "\n" + REPORT.splitlines()[1] + "\n")
    assert got.tables["client"].height == 0
    assert got.warnings == [f"x.log:1: {texts.no_report('httperf')}"]
    assert (got.headers, got.record_lines) == (2, 0)


def test_other_peoples_lines_are_rejects_and_messages_are_warnings():
    text = "real 0m3.1s\nhttperf: connection failed with unexpected error 99\n" * 2 + REPORT
    got = parsed(text)
    assert got.rejects.select("line", "text").rows() == [(1, "real 0m3.1s"), (3, "real 0m3.1s")]
    assert got.warnings == [
        "x.log:2: httperf: connection failed with unexpected error 99 (2 times)"
    ]
    assert got.tables["client"].height == 1


def test_sentinels_may_stand_in_the_log():
    text = f"#T 1795383360000000000 51000000000 0 b\n{REPORT}#END done\n"
    got = parsed(text)
    assert got.rejects.height == 0
    assert got.tables["client"].drop("line").equals(client(REPORT).drop("line"))


def test_a_file_of_another_kind_is_refused_with_its_line():
    with pytest.raises(parse.UnknownFormatError, match=r"x\.log:1: .*httperf"):
        parsed("top - 10:00:00 up 1 day\n")
    assert client("").height == 0
    assert client("\n\n").height == 0


# --- sessions, other forms, no number where nothing was measured

SESSIONS = """\

Session rate [sess/s]: min 0.20 avg 0.45 max 0.60 stddev 0.12 (9/10)
Session: avg 1.00 connections/session
Session lifetime [s]: 2.2
Session failtime [s]: 1.0
Session length histogram: 0 1 0 9
"""


def test_sessions_are_read():
    got = parsed(REPORT.replace("--rate=5", "--wsess=10,3,1.0 --rate=5") + SESSIONS)
    summary = got.tables["client"].row(0, named=True)
    assert got.rejects.is_empty()
    assert {key: value for key, value in summary.items() if "session" in key} == {
        "sessions": 10, "sessions_completed": 9, "sessions_per_s": 0.45, "session_time_mean_s": 2.2
    }  # fmt: skip
    assert summary["flags"] == "several-calls" and summary["offered_rate_per_s"] == 5.0
    none = SESSIONS.replace("(9/10)", "(0/10)").replace("lifetime [s]: 2.2", "lifetime [s]: 0.0")
    assert row(REPORT + none.replace("avg 0.45", "avg 0.00"))["session_time_mean_s"] is None


def test_rates_of_sessions_belong_to_the_sample_of_replies():
    verbose = "".join(
        f"Connection lifetime = 4714.60 \nreply-rate = {n}.5     \nsession-rate = 0.{n}     \n"
        for n in (1, 2)
    )
    got = parsed(REPORT.replace("Maximum", f"{verbose}Maximum"))
    frame = got.tables["client"].filter(got.tables["client"]["kind"] == "interval")
    assert frame.select("elapsed_s", "throughput_per_s", "sessions_per_s").rows() == [
        (5.0, 1.5, 0.1), (10.0, 2.5, 0.2)
    ]  # fmt: skip
    assert got.rejects.is_empty()
    alone = client("session-rate = 5.0\n" + REPORT)
    assert alone.select("kind", "throughput_per_s", "sessions_per_s").rows()[0] == (
        "interval", None, 5.0
    )  # fmt: skip


@pytest.mark.parametrize("indent", ["    ", "\t", "> ", "2026-11-22T21:36:01.000000000Z "])
def test_a_report_with_something_in_front_of_each_line_is_read(indent):
    text = "".join(indent + line for line in REPORT.splitlines(keepends=True))
    got = parsed(text)
    assert got.rejects.is_empty()
    assert got.tables["client"].equals(client(REPORT))


def test_lines_that_httperf_prints_too_are_not_read():
    got = parsed("Periodic stats\n[1.0 s] 200=5 404=1\n" + REPORT)
    assert got.rejects.select("line", "reason").rows() == [(1, texts.NOT_READ), (2, texts.NOT_READ)]


def test_times_of_no_connection_are_null():
    """httperf prints zeros where no connection with a reply has ended; its median is else 0.5 ms or more."""
    times = next(
        line for line in REPORT.splitlines() if line.startswith("Connection time [ms]: min")
    )
    zeros = "Connection time [ms]: min 0.0 avg 0.0 max 0.0 median 0.0 stddev 0.0"
    got = row(REPORT.replace(times, zeros))
    assert (got["connection_time_mean_s"], got["connection_time_stddev_s"]) == (None, None)
    assert got["flags"] == "no-connection-times" and got["response_time_mean_s"] == 0.0014
    short = "Connection time [ms]: min 0.0 avg 0.0 max 0.0 median 0.5 stddev 0.0"
    got = row(REPORT.replace(times, short))
    assert (got["connection_time_mean_s"], got["connection_time_stddev_s"]) == (0.0, 0.0)
    assert got["flags"] is None
    length = "Connection length [replies/conn]: "
    single = row(REPORT.replace(f"{length}1.000", f"{length}3.000").replace(times, short))
    assert (single["connection_time_mean_s"], single["connection_time_stddev_s"]) == (0.0, None)


# --- faults


def test_cut_at_every_byte_gives_no_wrong_number_unflagged():
    whole = row(SMALL)
    for end in range(len(SMALL) + 1):
        cut = parse_or_refuse("httperf", SMALL[:end])
        if cut is None:
            continue
        for got in cut.tables["client"].to_dicts():
            wrong = {k for k in whole if got[k] not in (None, whole[k])} - {"flags"}
            if wrong:  # only the last number of a line without its end may be cut short
                assert not SMALL[:end].endswith("\n")
                assert "unterminated" in got["flags"]


@pytest.mark.parametrize("path", goldens("httperf"), ids=lambda p: p.stem)
def test_a_line_dropped_or_doubled_gives_no_wrong_number(path):
    text = path.read_text()
    whole = [r for r in client(text).to_dicts() if r["kind"] == "summary"]
    for _, less in without_each_line(text):
        got = parse_or_refuse("httperf", less).tables["client"].to_dicts()
        got = [r for r in got if r["kind"] == "summary"]
        assert len(got) == len(whole)
        for one, other in zip(got, whole, strict=True):
            wrong = {k for k in other if one[k] not in (None, other[k])} - {"flags", "line"}
            assert not wrong
    for _, more in with_each_line_repeated(text):
        parsed_twice = parse_or_refuse("httperf", more)
        got = [r for r in parsed_twice.tables["client"].to_dicts() if r["kind"] == "summary"]
        assert [{**r, "line": 0} for r in got] == [{**r, "line": 0} for r in whole]


# --- print and parse

COUNT = st.integers(0, 10**9)
TENTHS = st.integers(0, 10**7)


@settings(max_examples=30, deadline=None)
@given(
    counts=st.tuples(COUNT, COUNT, st.integers(1, 10**9)),
    elapsed=TENTHS,
    times=st.lists(TENTHS, min_size=4, max_size=4),
    errors=st.lists(COUNT, min_size=8, max_size=8),
    comma=st.booleans(),
)
def test_what_is_printed_is_read_back(counts, elapsed, times, errors, comma):
    conns, requests, replies = counts
    response, transfer, connect, life = (t / 10 for t in times)
    timo, socket, refused, reset, fd, addr, ftab, other = errors
    text = (
        f"Total: connections {conns} requests {requests} replies {replies} "
        f"test-duration {elapsed / 1000:.3f} s\n"
        f"Connection time [ms]: min 0.1 avg {life:.1f} max 9.9 median 0.5 stddev 0.0\n"
        f"Connection time [ms]: connect {connect:.1f}\n"
        f"Reply time [ms]: response {response:.1f} transfer {transfer:.1f}\n"
        f"Errors: total {sum(errors)} client-timo {timo} socket-timo {socket} connrefused {refused} "
        f"connreset {reset}\n"
        f"Errors: fd-unavail {fd} addrunavail {addr} ftab-full {ftab} other {other}\n"
    )
    got = row(text.replace(".", ",") if comma else text)
    assert (got["connections"], got["requests"], got["replies"]) == counts
    assert got["elapsed_s"] == elapsed / 1000
    assert got["connect_time_mean_s"] == times[2] / 10_000
    assert got["connection_time_mean_s"] == times[3] / 10_000
    assert got["response_time_mean_s"] == round((times[0] + times[1]) / 10_000, 7)
    assert (got["errors"], got["errors_other"]) == (sum(errors), socket + addr + ftab + other)
    assert "errors-do-not-add-up" not in got["flags"]


PIECES = [*(line + "\n" for line in REPORT.splitlines()), "^C", "^C\n", "\n", "\r\n", "\\\n", "x\n", "\0",
          "httperf -v \\\n", "reply-rate = 9.1\n", "httperf: oh\n", " :\n", "Total: conn", "9"]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(random_lines(PIECES))
def test_any_text_is_accounted_for(text):
    parse_or_refuse("httperf", text)
