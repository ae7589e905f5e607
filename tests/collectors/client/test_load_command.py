"""Workloads against the options of httperf and sysbench, and errors in their reports."""

import client_report
import load_command
import pytest


def workload(kind, **values):
    return dict(values, kind=kind)


@pytest.mark.parametrize(
    ("command", "rate", "arrivals", "duration_s"),
    [
        ("httperf --hog --server x --rate 12 --num-conns 240 --num-calls 1", 12, "even", 20),
        ("taskset -c 1 /usr/bin/httperf --server=x --rate=12 --num-conn=240", 12, "even", 20),
        ("httperf --period=e0.25 --num-conns 100", 4, "poisson", 25),
        ("httperf --period 0.25 --num-conns 100", 4, "even", 25),
        ("httperf --period=d0.5 --num-conns 100", 2, "even", 50),
        ("httperf --period=u0.1,0.3 --num-conns 10", 5, "other", 2),
        ("httperf --rate 3 --num-conns 30 --num-calls 4", 12, "other", 10),
        ("sysbench oltp_read_only --rate=25 --threads=8 --time=7 run", 25, "poisson", 7),
    ],
)
def test_open_load(command, rate, arrivals, duration_s):
    got = load_command.read_command(command.split())
    assert (got.kind, got.arrivals, got.population) == ("open", arrivals, None)
    assert got.rate_per_s == pytest.approx(rate) and got.duration_s == pytest.approx(duration_s)


@pytest.mark.parametrize(
    ("command", "population", "duration_s"),
    [
        ("sysbench oltp_read_write --threads=12 --time=90 run", 12, 90),
        ("sysbench --num-threads=3 --max-time=20 --test=oltp run", 3, 20),
        ("sysbench oltp_read_write run", 1, 10),
        ("sysbench cpu --threads=2 --time=0 --events=5 run", 2, None),
        ("httperf --server x --num-conns 7", 1, None),
    ],
)
def test_closed_load(command, population, duration_s):
    got = load_command.read_command(command.split())
    assert (got.kind, got.population, got.duration_s) == ("closed", population, duration_s)


@pytest.mark.parametrize(
    ("planned", "command", "words"),
    [
        (workload("open", rate_per_s=5.0), "httperf --rate 6 --num-conns 9", ["rate_per_s", "5", "6"]),
        (workload("open", rate_per_s=4.0, arrivals="even"), "httperf --period=e0.25", ["arrivals", "poisson"]),
        (workload("open", rate_per_s=4.0, arrivals="poisson"), "httperf --rate 4", ["arrivals", "even"]),
        (workload("open", rate_per_s=4.0), "sysbench oltp_read_write --threads=4 run", ["open", "closed"]),
        (workload("closed", population=16), "sysbench oltp_read_write --threads=8 run", ["population", "16", "8"]),
        (workload("closed", population=1), "sysbench cpu --rate=9 run", ["closed", "open"]),
        (workload("closed", population=8, think_time_s=2.0), "sysbench oltp_read_only --threads=8 run", ["think"]),
        (workload("closed", population=8), "sysbench oltp_read_only --threads=8 prepare", ["prepare"]),
    ],
)  # fmt: skip
def test_workload_that_differs_from_the_command(planned, command, words):
    (difference,) = load_command.compare(planned, load_command.read_command(command.split()))
    assert all(word in difference for word in words)


@pytest.mark.parametrize(
    ("planned", "command"),
    [
        (workload("open", rate_per_s=15.0, arrivals="poisson"), "httperf --period=e0.0666667 --num-conns 9"),
        (workload("closed", population=8, think_time_s=0.5), "sysbench my.lua --threads=8 run"),
        (workload("open", rate_per_s=1.0), "my-client --rate 9"),
        (workload("open", rate_per_s=1.0), "httperf --wsess=10,5,2 --rate 9"),
    ],
)  # fmt: skip
def test_workload_that_agrees_or_cannot_be_compared(planned, command):
    assert load_command.compare(planned, load_command.read_command(command.split())) == []


HTTPERF = """Total: connections 50 requests %d replies %d test-duration 9.800 s

Request rate: %s req/s (200.0 ms/req)
Reply status: 1xx=0 2xx=%d 3xx=0 4xx=%d 5xx=0

Errors: total %d client-timo 0 socket-timo 0 connrefused %d connreset 0
Errors: fd-unavail 0 addrunavail 0 ftab-full 0 other 0
"""
SYSBENCH = """Number of threads: %d
[ 5s ] thds: 4 tps: 10.00 qps: 200.00 (r/w/o: 140.00/40.00/20.00) lat (ms,95%%): 90.00 err/s: 0.00 reconn/s: 0.00
    transactions:                        100    (10.00 per sec.)
    ignored errors:                      %d      (0.00 per sec.)
    reconnects:                          %d      (0.00 per sec.)
"""


@pytest.mark.parametrize(
    ("text", "planned", "expected"),
    [
        (HTTPERF % (50, 50, "5.0", 50, 0, 0, 0), workload("open", rate_per_s=5.0), []),
        (HTTPERF % (50, 50, "5,0", 50, 0, 0, 0), workload("open", rate_per_s=5.0), []),
        (HTTPERF % (50, 41, "5.0", 41, 0, 9, 9), workload("open", rate_per_s=5.0), ["41 replies", "9 connrefused"]),
        (HTTPERF % (50, 50, "5.0", 20, 30, 0, 0), workload("open", rate_per_s=5.0), ["30 replies with status 4xx"]),
        (HTTPERF % (50, 50, "3.0", 50, 0, 0, 0), workload("open", rate_per_s=5.0), ["3 requests per second"]),
        (SYSBENCH % (4, 0, 0), workload("closed", population=4), []),
        (SYSBENCH % (4, 7, 2), workload("closed", population=4), ["7 ignored errors", "2 reconnects"]),
        (SYSBENCH % (4, 0, 0), workload("closed", population=5), ["4 threads"]),
        ("FATAL: no such table\\nFATAL: x\\n" * 3, workload("closed", population=5), ["no such table"]),
        ("", workload("closed", population=5), []),
        ("\\0Errors: total\\0", workload("closed", population=5), []),
    ],
)  # fmt: skip
def test_errors_of_a_report(tmp_path, text, planned, expected):
    path = tmp_path / "client.log"
    path.write_text(text)
    errors = client_report.find_errors(path, planned)
    assert len(errors) == len(expected)
    assert all(word in error for word, error in zip(expected, errors, strict=True)), errors
