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
    with_each_line_repeated,
    without_each_line,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parse
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


def test_the_throughput_of_1_1_is_part_of_the_report_of_sql():
    throughput = (
        "Throughput:\n    events/s (eps):     29.4900\n    time elapsed:       1.0173s\n"
        "    total number of events:              30\n\n"
    )
    begin, end = REPORT.index("General"), REPORT.index("Latency")
    text = HEAD.replace("1.0.20", "1.1.0-18a9f86") + REPORT[:begin] + throughput + REPORT[end:]
    got, with_1_0 = row(text), row(HEAD + REPORT)
    assert got == with_1_0 | {"version": "1.1.0-18a9f86", "elapsed_s": 1.0173}
    assert parsed(text).rejects.is_empty()


def test_only_the_last_report_of_a_run_with_checkpoints_is_flagged_as_since_them():
    checkpoint = "[ 1s ] Checkpoint report:\n" + REPORT
    frame = client(HEAD + REPORT + HEAD + checkpoint + checkpoint + REPORT + HEAD + REPORT)
    flags = [None, "checkpoint", "checkpoint", "since-checkpoint", None]
    assert frame["flags"].to_list() == flags


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


# --- fileio, memory, other forms

GENERAL = """\
General statistics:
    total time:                          2.0001s
    total number of events:              {events}

Latency (ms):
         min:                                    {low}
         avg:                                    0.50
         max:                                    9.00
         95th percentile:                        {rank}
         sum:                                 1000.00
"""


def general(events=2000, low="0.01", rank="1.55"):
    return GENERAL.format(events=events, low=low, rank=rank)


FILE_1_0 = """\
File operations:
    reads/s:                      640.00
    writes/s:                     320.00
    fsyncs/s:                     12.00

Throughput:
    read, MiB/s:                  10.00
    written, MiB/s:               5.00

"""
FILE_1_1 = """\
Throughput:
         read:  IOPS=640.00 10.00 MiB/s (10.49 MB/s)
         write: IOPS=320.00 5.00 MiB/s (5.24 MB/s)
         fsync: IOPS=12.00

"""
FILE_0_4 = """\
Operations performed:  6000 Read, 4000 Write, 12800 Other = 22800 Total
Read 93.75Mb  Written 62.5Mb  Total transferred 156.25Mb  (2.5Mb/sec)
  160.00 Requests/sec executed

"""
MEMORY_1_0 = (
    "Total operations: 5000 (2500.25 per second)\n\n4.88 MiB transferred (2.44 MiB/sec)\n\n"
)
MEMORY_0_4 = (
    "Operations performed: 5000 ( 2500.25 ops/sec)\n\n4.88 MB transferred (2.44 MB/sec)\n\n"
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            FILE_1_0 + general(),
            {
                "reads_per_s": 640.0, "writes_per_s": 320.0, "fsyncs_per_s": 12.0,
                "read_bytes_per_s": 10 * 2**20, "write_bytes_per_s": 5 * 2**20,
                "response_time_percentile_s": 0.00155, "throughput_per_s": None, "flags": "events",
            },
        ),
        (
            FILE_1_1 + general()[general().index("Latency"):],
            {
                "reads_per_s": 640.0, "writes_per_s": 320.0, "fsyncs_per_s": 12.0,
                "read_bytes_per_s": 10 * 2**20, "write_bytes_per_s": 5 * 2**20,
                "response_time_mean_s": 0.0005, "flags": "events",
            },
        ),
        (
            FILE_0_4 + general(),
            {
                "requests": 22800, "throughput_per_s": 160.0, "transferred_bytes": 156.25 * 2**20,
                "transferred_bytes_per_s": 2.5 * 2**20,
            },
        ),
        (
            MEMORY_1_0 + general(5000),
            {
                "requests": 5000, "throughput_per_s": 2500.25, "completions": 5000,
                "transferred_bytes": 4.88 * 2**20, "transferred_bytes_per_s": 2.44 * 2**20,
            },
        ),
        (MEMORY_0_4 + general(5000), {"requests": 5000, "transferred_bytes_per_s": 2.44 * 2**20}),
        (
            "CPU speed:\n    events per second:   98.90\n" + general(99),
            {"throughput_per_s": 98.9, "completions": 99},
        ),
        (
            "Throughput:\n    events/s (eps):      98.90\n    time elapsed:        2.0001s\n"
            "    total number of events:              99\n" + general()[general().index("\nLat"):],
            {"throughput_per_s": 98.9, "completions": 99, "elapsed_s": 2.0001, "flags": "events"},
        ),
    ],
)  # fmt: skip
def test_reports_of_other_tests(text, values):
    result = parsed(HEAD + text)
    assert result.rejects.is_empty()
    got = result.tables["client"].row(0, named=True)
    assert {key: got[key] for key in values} == values


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (
            "[ 1s ] reads: 10.00 MiB/s writes: 5.00 MiB/s fsyncs: 12.00/s latency (ms,95%): 1.500",
            (1.0, None, 10 * 2**20, 5 * 2**20, 12.0, None, 0.0015, 95.0),
        ),
        (
            "[   1s] reads: 10.00 MB/s writes: 5.00 MB/s fsyncs: 12.00/s response time: 1.500ms (99%)",
            (1.0, None, 10 * 2**20, 5 * 2**20, 12.0, None, 0.0015, 99.0),
        ),
        ("[ 2s ] 2.50 MiB/sec,", (2.0, None, None, None, None, 2.5 * 2**20, None, None)),
        ("[ 2s ] 2.50 MB/sec", (2.0, None, None, None, None, 2.5 * 2**20, None, None)),
        (
            "3,4,9.50,190.00,133.00,38.00,19.00,1.50,0.00,0.00",
            (3.0, 9.5, None, None, None, None, 0.0015, None),
        ),
    ],
)
def test_interval_lines_of_other_tests(line, values):
    result = parsed(HEAD + line + "\n")
    assert result.tables["client"].select(
        "elapsed_s", "throughput_per_s", "read_bytes_per_s", "write_bytes_per_s", "fsyncs_per_s",
        "transferred_bytes_per_s", "response_time_percentile_s", "percentile",
    ).rows() == [values]  # fmt: skip
    assert result.rejects.is_empty()


JSON_OBJECT = """\
  {
    "time":    %d,
    "threads": 4,
    "tps": %s,
    "qps": {
      "total": 190.00,
      "reads": 133.00,
      "writes": 38.00,
      "other": 19.00
    },
    "latency": 1.50,
    "errors": 0.50,
    "reconnects": 0.00
  }"""


def test_intervals_as_json():
    text = f"{HEAD}[\n{JSON_OBJECT % (1, '9.50')},\n{JSON_OBJECT % (2, '-nan')}\n]\n{REPORT}"
    result = parsed(text)
    frame = result.tables["client"].filter(result.tables["client"]["kind"] == "interval")
    assert frame.select(
        "line", "version", "elapsed_s", "threads", "throughput_per_s", "queries_per_s",
        "response_time_percentile_s", "percentile", "flags",
    ).rows() == [
        (12, "1.0.20", 1.0, 4, 9.5, 190.0, 0.0015, None, "percentile-unknown errors"),
        (26, "1.0.20", 2.0, 4, None, 190.0, 0.0015, None, "percentile-unknown errors"),
    ]  # fmt: skip
    assert result.rejects.is_empty() and result.snapshots == 1


def test_a_damaged_object_is_a_reject_and_the_next_one_is_read():
    lines = f"[\n{JSON_OBJECT % (1, '1.0')},\n{JSON_OBJECT % (2, '2.0')},\n{JSON_OBJECT % (3, '3.0')}\n]\n".splitlines()
    for lost in range(15, 29):
        text = "\n".join(lines[:lost] + lines[lost + 1 :]) + "\n"
        result = parsed(text)
        assert set(result.tables["client"]["throughput_per_s"]) >= {1.0, 3.0}, lines[lost]
    one_line = '[{"time": 1, "threads": 2, "tps": 4.0, "qps": {"total": 8.0}, "latency": 2.0},\n'
    assert client(one_line)["response_time_percentile_s"].to_list() == [0.002]


# --- no number where nothing was measured


def test_response_times_of_no_events_are_null():
    got = row(
        HEAD
        + general(0, "18446744073709.55", "0.00").replace("0.50", "0.00").replace("9.00", "0.00")
    )
    assert got["completions"] == 0 and got["flags"] == "events no-events"
    for name in ("min", "mean", "max", "percentile"):
        assert got[f"response_time_{name}_s"] is None
    lines = (
        "[ 1s ] thds: 1 tps: 0.00 qps: 0.00 (r/w/o: 0.00/0.00/0.00) lat (ms,95%): 0.00 err/s 0.00 reconn/s: 0.00\n"
        "[ 2s ] reads: 0.00 MiB/s writes: 0.00 MiB/s fsyncs: 0.00/s latency (ms,95%): 0.000\n"
        "[ 3s ] thds: 1 eps: 0.00 lat (ms,95%): 0.00\n"
        "[ 4s ] thds: 1 eps: 9.00 lat (ms,95%): 0.00\n"
    )
    frame = client(lines)
    assert frame["response_time_percentile_s"].to_list() == [None, None, None, 0.0]
    assert frame["flags"].to_list() == ["no-events"] * 3 + [None]


def test_impossible_values_are_null_and_flagged():
    got = row(HEAD + general(3, "18446744073709.55"))
    assert got["response_time_min_s"] is None and got["response_time_mean_s"] == 0.0005
    assert got["flags"] == "events impossible-value"
    got = row(HEAD + general("18446744073709551615"))
    assert got["completions"] is None and "impossible-value" in got["flags"]
    frame = client(
        "[   1s] threads: 4, tps: 18446744073709550.00, reads/s: 1.00, writes/s: 4.00, response time: 1.00ms (95%)\n"
        "[ 2s ] thds: 1 eps: -3.00 lat (ms,95%): 1.00\n"
    )
    assert frame["throughput_per_s"].to_list() == [None, None]
    assert frame["response_time_percentile_s"].to_list() == [0.001, 0.001]
    assert frame["flags"].to_list() == ["impossible-value"] * 2


def test_the_end_of_the_histogram_is_a_lower_bound():
    assert row(HEAD + general(rank="100000.00"))["flags"] == "events percentile-at-least"
    frame = client("[ 1s ] thds: 1 eps: 9.00 lat (ms,95%): 100000.00\n")
    assert frame.select("response_time_percentile_s", "flags").rows() == [
        (100.0, "percentile-at-least")
    ]


def test_a_report_with_blanks_before_it_is_read():
    text = HEAD + INTERVAL + REPORT
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    assert parsed(indented).rejects.is_empty()
    assert client(indented).equals(client(text))


@pytest.mark.parametrize("prefix", ["Nov 22 21:36:01 db1 bench[77]: ", "> ", "bench-1  | "])
def test_a_loggers_prefix_is_no_part_of_the_report(prefix):
    text = HEAD + INTERVAL + REPORT
    got = parsed("".join(prefix + line for line in text.splitlines(keepends=True)))
    assert got.rejects.is_empty() and got.tables["client"].equals(client(text))
    assert client(prefix + INTERVAL)["throughput_per_s"].to_list() == [29.57]


def test_histograms_and_messages_are_headers():
    text = (
        HEAD.replace("Threads", "Warming up for 5 seconds...\n\nThreads")
        + "Event limit exceeded, exiting...\nTime limit exceeded, exiting...\n"
        + "Latency histogram (values are in milliseconds)\n"
        + "       value  ------------- distribution ------------- count\n"
        + "       0.065 |****                                     12\n"
        + "       0.066 |**************************************** 120\n \n"
        + REPORT
    )
    result = parsed(text)
    assert result.rejects.is_empty()
    assert result.tables["client"]["response_time_percentile_s"].to_list() == [0.78774]


def test_a_line_that_is_not_read_says_no_more_than_that():
    assert parsed(HEAD + "Something new: 5\n" + REPORT).rejects["reason"].to_list() == [
        texts.NOT_READ
    ]


# --- faults


def test_cut_at_every_byte_gives_no_wrong_number_unflagged():
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
def test_a_line_dropped_or_doubled_gives_no_wrong_number(path):
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
    transactions=st.integers(1, 10**9),
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
