"""sysbench's report: goldens by version, interval lines, cuts, several runs in one log."""

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
    skip_validation,
    with_each_line_repeated,
    without_each_line,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parse, tables
from pipeline.parse import texts

HEAD = """\
sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

Running the test with following options:
Number of threads: 16
Report intermediate results every 1 second(s)

Initializing worker threads...

Threads started!

"""
INTERVAL = (
    "[ 1s ] thds: 16 tps: 29.57 qps: 608.44 (r/w/o: 429.31/117.39/61.74) "
    "lat (ms,95%): 846.57 err/s: 0.00 reconn/s: 0.00\n"
)
REPORT = """\
SQL statistics:
    queries performed:
        read:                            420
        write:                           120
        other:                           60
        total:                           600
    transactions:                        30     (29.50 per sec.)
    queries:                             600    (590.01 per sec.)
    ignored errors:                      1      (0.98 per sec.)
    reconnects:                          2      (1.97 per sec.)

General statistics:
    total time:                          1.0168s
    total number of events:              30

Latency (ms):
         min:                                  210.76
         avg:                                  524.61
         max:                                 1203.44
         95th percentile:                      787.74
         sum:                                15738.30

Threads fairness:
    events (avg/stddev):           1.8750/0.33
    execution time (avg/stddev):   0.9836/0.06
"""
SMALL = (
    "    transactions:        30     (29.50 per sec.)\n    total time:      1.0168s\n"
    "         avg:        524.61\n         sum:        15738.30\n"
)


def parsed(text):
    return parse.parse_log("sysbench", parse.log_from_text(text, "x.log"))


def client(text):
    return parsed(text).tables["client"]


def row(text):
    frame = client(text)
    assert frame.height == 1
    return frame.row(0, named=True)


@pytest.mark.parametrize("path", goldens("sysbench"), ids=lambda p: p.stem)
def test_golden(path):
    assert json.loads(json.dumps(plain(read("sysbench", path), options(path)))) == expected(path)


def test_a_report_is_one_row():
    got = {k: v for k, v in row(HEAD + REPORT).items() if v is not None}
    assert got == {
        "tool": "sysbench", "version": "1.0.20", "kind": "summary", "line": 1, "elapsed_s": 1.0168,
        "threads": 16, "requests": 600, "transactions": 30, "completions": 30,
        "throughput_per_s": 29.5, "queries_per_s": 590.01, "response_time_mean_s": 0.52461,
        "response_time_min_s": 0.21076, "response_time_max_s": 1.20344,
        "response_time_percentile_s": 0.78774, "percentile": 95.0, "response_time_sum_s": 15.7383,
        "errors": 1, "reconnects": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (INTERVAL, (1.0, 16, 29.57, 608.44, 0.84657, 95.0)),
        (INTERVAL.replace("err/s:", "err/s"), (1.0, 16, 29.57, 608.44, 0.84657, 95.0)),
        (INTERVAL.replace(".", ","), (1.0, 16, 29.57, 608.44, 0.84657, 95.0)),
        ("[ 2s ] thds: 1 eps: 9.5 lat (ms,99%): 0.23\n", (2.0, 1, 9.5, None, 0.00023, 99.0)),
        ("[ 2s ] thds: 1 eps: 9.5 lat (ms,0%): 0.00\n", (2.0, 1, 9.5, None, None, None)),
        (
            "[  10s] threads: 8, tps: 1.5, reads/s: 21.0, writes/s: 6.0 response time: 97.47ms (95%)\n",
            (10.0, 8, 1.5, None, 0.09747, 95.0),
        ),
        (
            "[  10s] threads: 8, tps: 1.5, reads: 21.0, writes: 6.0, response time: 97.47ms (95%), "
            "errors: 0.00, reconnects:  0.00\n",
            (10.0, 8, 1.5, None, 0.09747, 95.0),
        ),
        (
            "[  10s] Intermediate results: 8 threads, tps: 1.5, reads/s: 21.0, writes/s: 6.0 "
            "response time: 97.47ms (95%)\n",
            (10.0, 8, 1.5, None, 0.09747, 95.0),
        ),
    ],
)  # fmt: skip
def test_interval_lines(line, wanted):
    frame = client(line).select(
        "elapsed_s", "threads", "throughput_per_s", "queries_per_s",
        "response_time_percentile_s", "percentile",
    )  # fmt: skip
    assert frame.rows() == [wanted]


def test_runs_of_one_file_keep_their_own_setup():
    other = HEAD.replace("threads: 16", "threads: 4").replace("1.0.20", "1.0.18") + REPORT
    frame = client(HEAD + INTERVAL + REPORT + other.replace("transactions:                        30",
                                                            "transactions:                        31"))  # fmt: skip
    frame = frame.filter(frame["kind"] == "summary")
    assert frame.select("version", "threads", "transactions").rows() == [
        ("1.0.20", 16, 30), ("1.0.18", 4, 31)
    ]  # fmt: skip
    # a run whose line of threads is lost does not take the other's
    frame = client(HEAD + REPORT + HEAD.replace("Number of threads: 16\n", "") + REPORT)
    assert frame["threads"].to_list() == [16, None]


def test_a_test_without_transactions_counts_events():
    text = "".join(
        line + "\n" for line in REPORT.splitlines() if ":" in line and "per sec" not in line
    )
    got = row(text)
    assert (got["transactions"], got["completions"]) == (None, 30)
    assert got["flags"] == "events"


def test_counts_that_do_not_add_up_and_lines_that_lack_are_flagged():
    assert row(REPORT.replace("420", "421"))["flags"] == "counts-do-not-add-up"
    assert row(REPORT.replace("         avg:", "   the avg:"))["flags"] == "incomplete"


def test_setup_and_messages_are_headers_and_all_else_is_a_reject():
    text = (
        HEAD.replace("Report inter", "FATAL: no\nReport inter")
        + "Killed\n"
        + REPORT
        + "FATAL: oh\n"
    )
    got = parsed(text)
    assert got.rejects.select("line", "text").rows() == [(12, "Killed")]
    assert got.warnings == ["x.log:5: FATAL: no", f"x.log:{got.lines}: FATAL: oh"]


def test_a_killed_run_keeps_its_intervals_and_gives_a_warning():
    got = parsed(HEAD + INTERVAL)
    assert got.tables["client"]["kind"].to_list() == ["interval"]
    assert got.warnings == [f"x.log:3: {texts.no_report('sysbench')}"]


def test_sentinels_may_stand_in_the_log():
    text = f"#T 1795383360000000000 51000000000 0 b\n{HEAD}{REPORT}#END done\n"
    assert parsed(text).rejects.height == 0
    assert client(text).drop("line").equals(client(HEAD + REPORT).drop("line"))


def test_a_file_of_another_kind_is_refused_with_its_line():
    with pytest.raises(parse.UnknownFormatError, match=r"x\.log:1: .*sysbench"):
        parsed("top - 10:00:00 up 1 day\n")
    assert client("").height == 0


# --- faults


@pytest.fixture
def light(monkeypatch):
    monkeypatch.setattr(tables, "conform", skip_validation)


def test_cut_at_every_byte_gives_no_wrong_number_unflagged(light):
    whole = row(SMALL)
    for end in range(len(SMALL) + 1):
        cut = parse_or_refuse("sysbench", SMALL[:end])
        if cut is None:
            continue
        for got in cut.tables["client"].to_dicts():
            wrong = {k for k in whole if got[k] not in (None, whole[k])} - {"flags"}
            if wrong:
                assert not SMALL[:end].endswith("\n")
                assert "unterminated" in got["flags"]


def summaries(frame):
    return [row for row in frame.to_dicts() if row["kind"] == "summary"]


@pytest.mark.parametrize("path", goldens("sysbench"), ids=lambda p: p.stem)
def test_a_line_dropped_or_doubled_gives_no_wrong_number(light, path):
    text = path.read_text()
    frame = client(text)
    whole = summaries(frame)
    for number, less in without_each_line(text):
        got = parse_or_refuse("sysbench", less).tables["client"]
        was_interval = number + 1 in frame.filter(frame["kind"] == "interval")["line"]
        assert got.height == frame.height - was_interval
        for one, other in zip(summaries(got), whole, strict=True):
            free = {"flags", "line"}
            if "events" in (one["flags"] or ""):
                free |= {"completions", "throughput_per_s"}
            assert not {k for k in other if one[k] not in (None, other[k])} - free
    for _, more in with_each_line_repeated(text):
        got = parse_or_refuse("sysbench", more).tables["client"]
        assert [{**r, "line": 0} for r in summaries(got)] == [{**r, "line": 0} for r in whole]


# --- print and parse

COUNT = st.integers(0, 10**9)
HUNDREDTHS = st.integers(0, 10**9)


@settings(max_examples=30, deadline=None)
@given(
    queries=st.lists(COUNT, min_size=3, max_size=3),
    transactions=COUNT,
    rate=HUNDREDTHS,
    elapsed=HUNDREDTHS,
    latencies=st.lists(HUNDREDTHS, min_size=5, max_size=5),
    percentile=st.integers(1, 100),
    threads=st.integers(1, 1024),
    version=st.sampled_from(["0.4.12", "0.5", "1.0.20"]),
)
def test_what_is_printed_is_read_back(
    queries, transactions, rate, elapsed, latencies, percentile, threads, version
):
    old = version != "1.0.20"
    low, mean, high, rank, total = (value / 100 for value in latencies)
    unit = "ms" if old else ""
    which = f"approx.  {percentile} percentile:" if old else f"{percentile:3}th percentile:"
    lines = [
        f"sysbench {version}{':  multi-threaded system evaluation benchmark' if old else ' (using x)'}",
        f"Number of threads: {threads}", "Threads started!",
        *(f"        {k}:      {n}" for k, n in zip(("read", "write", "other"), queries, strict=True)),
        f"        total:     {sum(queries)}",
        f"    transactions:                        {transactions:<6} ({rate / 100:.2f} per sec.)",
        f"    total time:                          {elapsed / 10_000:.4f}s",
        f"    total number of events:              {transactions}",
        *([f"    total time taken by event execution: {latencies[4] / 10_000:.4f}"] if old else []),
        *(f"         {k}:       {v:.2f}{unit}" for k, v in (("min", low), ("avg", mean), ("max", high))),
        f"         {which} {rank:.2f}{unit}",
        *([] if old else [f"         sum:   {total:.2f}"]),
    ]  # fmt: skip
    got = row("\n".join([*lines, ""]))
    assert (got["version"], got["threads"]) == (version, threads)
    assert (got["requests"], got["completions"]) == (sum(queries), transactions)
    assert (got["throughput_per_s"], got["elapsed_s"]) == (rate / 100, elapsed / 10_000)
    for key, value in (("min", 0), ("mean", 1), ("max", 2), ("percentile", 3)):
        assert got[f"response_time_{key}_s"] == latencies[value] / 100_000
    assert got["response_time_sum_s"] == latencies[4] / (10_000 if old else 100_000)
    assert (got["percentile"], got["flags"]) == (percentile, None)


PIECES = [*(line + "\n" for line in (HEAD + INTERVAL + REPORT).splitlines()), "\n", "\r\n", "x\n", "\0",
          "FATAL: x\n", "[ 1s ] Checkpoint report:\n", "[  1s] threads: 8, tps: 1", "9"]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(random_lines(PIECES))
def test_any_text_is_accounted_for(text):
    parse_or_refuse("sysbench", text)
